"""When the pass runs, and whether it could."""
