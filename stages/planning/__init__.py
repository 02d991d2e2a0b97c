"""Compute-optimal allocation, isoFLOP analysis, batch size and learning rate."""
