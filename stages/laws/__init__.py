"""Scaling laws as scikit-learn regressors, one file per law."""
