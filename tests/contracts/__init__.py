"""Contracts: what holds for everything that exists, checked over the URL map and RESOURCES, never over a list."""
