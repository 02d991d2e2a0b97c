"""The demonstration ladder: its measured scores, and the code that trained and scored it."""
