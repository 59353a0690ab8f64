"""What an operator looks at: everything live on one page, everything recorded on another."""
