"""FLOPs, parameters and tokens."""
