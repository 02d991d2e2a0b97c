"""The nightly pass: score what is new, forecast again, compare with what was registered, tell what changed."""
