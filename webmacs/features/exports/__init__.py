"""Recorded values as files: any selection as CSV, NDJSON or Parquet, at once or written in the background."""
