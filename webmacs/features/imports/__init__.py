"""History from elsewhere: files of values, checked first and then recorded."""
