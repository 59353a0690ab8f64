"""Inviting people into an organization."""
