"""Laws that give a loss."""
