"""One folder for each feature; in every one the same file name means the same thing."""
