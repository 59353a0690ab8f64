"""Organizations of one installation: making them, and going from one to another."""
