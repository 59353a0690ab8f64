"""Journeys and checks in a real Chromium, against a whole WebMACS that runs for them."""
