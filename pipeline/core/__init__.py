"""What every wing stands on: config, files, digests and errors."""
