"""Is a run still on the course that was forecast?"""
