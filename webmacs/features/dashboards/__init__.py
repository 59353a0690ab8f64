"""What an operator sees first: everything live on one page."""
