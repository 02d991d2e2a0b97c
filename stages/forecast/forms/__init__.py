"""Forms: ways to a forecast that are no pair of laws, each with a spread of its own."""
