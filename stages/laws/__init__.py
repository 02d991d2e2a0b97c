"""Scaling laws as scikit-learn regressors, one file per law.

``loss`` holds the laws of a loss, ``accuracy`` the others. ``base`` is what every law shares, ``surface`` what a law of
size and data adds; ``registry`` finds the laws, ``candidate`` says how one takes part in ``auto``. A new law is one
file: docs/methods/laws.md shows it.
"""
