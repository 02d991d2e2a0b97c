"""From a ladder table and a config to forecasts."""
