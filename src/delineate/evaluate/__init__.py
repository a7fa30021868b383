"""How good predictions are (numpy only)."""
