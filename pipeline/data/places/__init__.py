"""``ladder.yaml``: where models, runs and checkpoints stand on the ladder, where their files do not say it.

Three kinds of readers take it, each with an entry model of its own: results of evaluations (``models``), training logs
(``runs``) and scored checkpoints (``checkpoints``). The file itself is read in one place, ``ladder``.
"""
