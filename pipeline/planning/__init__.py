"""``benchcast plan``: how large, on how many tokens, and what it costs."""
