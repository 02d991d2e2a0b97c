"""Stages wired to configs, files and the command line."""
