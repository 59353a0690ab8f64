"""Coming in by more than a password, and proving once more who one is."""
