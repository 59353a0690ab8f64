"""What every feature stands on; it knows nothing of a laboratory."""
