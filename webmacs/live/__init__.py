"""Push to browsers: one subscription to Redis in each server process, one stream for each tab."""
