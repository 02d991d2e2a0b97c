"""Two scored checkpoints side by side, and a run against a policy: `benchcast versus` and `benchcast gate`."""
