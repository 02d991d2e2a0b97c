"""What the ``lm_eval`` command wrote."""
