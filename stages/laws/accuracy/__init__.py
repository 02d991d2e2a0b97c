"""Laws that give a benchmark's accuracy, or its error."""
