"""Where runs and models stand on the ladder, as ``ladder.yaml`` says it."""
