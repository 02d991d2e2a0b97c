"""The search that every law is fitted by, and what it tells about the estimate."""
