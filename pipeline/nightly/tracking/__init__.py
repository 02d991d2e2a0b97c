"""A tracked run beside its registered band."""
