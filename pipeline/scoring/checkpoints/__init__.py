"""Which folders are checkpoints, what they hold, and where they stand on the ladder."""
