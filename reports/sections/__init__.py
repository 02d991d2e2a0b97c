"""What a report says, as plain strings and tables."""
