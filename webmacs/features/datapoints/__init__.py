"""Measurements and set-points: one number of one channel at one microsecond."""
