"""Recipes: which laws are chained, on which rows of the ladder. One file per recipe, all with the same ``run``."""

from __future__ import annotations

from . import auto, ladder, llama3, overtraining
from .base import Found, Job

RECIPES = {"llama3": llama3.run, "overtraining": overtraining.run, "ladder": ladder.run, "auto": auto.run}

__all__ = ["RECIPES", "Found", "Job"]
