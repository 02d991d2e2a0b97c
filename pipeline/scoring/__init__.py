"""Scoring a ladder of checkpoints with lm-eval's tasks: every cell once, fast, and never lost.

======================  ==========================================================================
``cells``               identity: what makes two scores the same score
``discover``, ``place`` which folders are checkpoints, whether they are complete, where on the ladder
``checkpoints``         content digest, tokenizer identity, and every check that needs no torch
``tasks``, ``encode``   lm-eval's tasks and lm-eval's tokens, built once for all checkpoints
``model``, ``engine``   weights swapped into a live model; log-likelihoods with shared prefixes (torch)
``worker``              one process that holds a model (torch only, no lm-eval)
``executors``           in this process, in local processes, or on a Ray cluster
``measure``             log-likelihoods to lm-eval's results, losses and per-document values
``run``                 the driver: the only one that writes the store
======================  ==========================================================================
"""
