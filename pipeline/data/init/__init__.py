"""``benchcast init``: a first config from what lies in a folder."""
