"""The installation itself: first start, health, housekeeping."""
