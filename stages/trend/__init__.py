"""A task's accuracy as a trend in log-odds over effective compute: priors carry what few runs cannot tell."""
