"""How samples change."""
