"""The documents of a task: what a source, a store or the package knows of every question, as one matrix a task."""
