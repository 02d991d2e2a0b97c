"""The compute-optimal size, as the ladder's own validation losses show it: the frontier, and isoFLOP curves."""
