"""What the Weights & Biases web page exports."""
