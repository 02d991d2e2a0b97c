"""Forecasts of a task document by document: which questions a larger model is likely to answer.

``matrix`` holds what is known of the documents (``DocumentMatrix``); ``forecaster`` forecasts a task's accuracy
from them (``DocumentForecaster``); ``flips`` says which are expected to flip, and which never move.
"""
