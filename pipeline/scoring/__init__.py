"""Scoring a ladder of checkpoints with lm-eval's tasks: every cell once, fast, and never lost.

================  ============================================================================
``checkpoints``   which folders are checkpoints, whether they are whole and unchanged, where on the ladder they stand;
                  no torch
``requests``      lm-eval's tasks and lm-eval's tokens, built once for all checkpoints, and kept from run to run
``inference``     weights swapped into a live model, log-likelihoods with shared prefixes (torch, no lm-eval), and the
                  places where workers run: this process, local processes, a Ray cluster
``measure``       log-likelihoods to lm-eval's results, losses and per-document values
``store``         scored cells on disk with an index, and what makes two scores the same score (``store.keys``)
``driver``        decides what is missing, and is the only one that writes the store
``run``           one call from settings to a ladder table
================  ============================================================================
"""
