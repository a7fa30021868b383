"""Published weights, and our own files."""
