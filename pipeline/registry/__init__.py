"""Forecasts on the record, and how they fared."""
