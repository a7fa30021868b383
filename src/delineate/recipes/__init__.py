"""What we actually run."""
