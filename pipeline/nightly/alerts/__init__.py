"""What is not as it should be, and whom it is told."""
