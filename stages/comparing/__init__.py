"""Two checkpoints on the same documents, and a run against what was asked of it: tests, intervals, power."""
