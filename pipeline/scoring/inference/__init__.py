"""From requests to log-likelihoods: models, workers and executors (torch)."""
