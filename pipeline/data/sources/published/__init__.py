"""The published testbeds, and their download."""
