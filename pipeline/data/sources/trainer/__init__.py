"""What the Hugging Face trainer wrote."""
