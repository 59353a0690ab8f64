"""WebMACS: open, self-hosted monitoring and control for laboratories and pilot plants."""

__version__ = "0.1.0"
