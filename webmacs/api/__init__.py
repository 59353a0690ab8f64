"""The JSON machinery: one declaration parses, answers and documents an endpoint."""
