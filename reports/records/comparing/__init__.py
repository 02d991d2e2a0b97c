"""What the comparison of two checkpoints, and a gate, found."""
