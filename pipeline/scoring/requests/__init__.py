"""What checkpoints are asked: tasks and texts as token ids."""
