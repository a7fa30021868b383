"""What an instance is (numpy only)."""
