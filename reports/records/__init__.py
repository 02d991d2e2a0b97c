"""What a run produces, as frozen objects: the machine contract."""
