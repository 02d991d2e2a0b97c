"""Fewer documents: which of a task's documents checkpoints are asked, chosen once and written into the store."""
