"""Every Eval Ever records, read and written."""
