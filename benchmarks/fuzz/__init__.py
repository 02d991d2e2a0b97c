"""Two fuzzers of everything that reads files: blind mutations, and contradictions made on purpose."""
