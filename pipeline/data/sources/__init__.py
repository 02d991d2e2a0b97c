"""Where ladder tables come from: one reader per published or standard layout, all ending in the same table."""
