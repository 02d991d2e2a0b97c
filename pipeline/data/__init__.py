"""From files that somebody wrote to a validated ladder table."""
