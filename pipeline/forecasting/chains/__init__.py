"""What the recipes have in common: baselines, laws and chains as results, diagnostics, figures."""
