"""What ``benchmarks/trust.py`` measures, a module for each question."""
