"""The address at which people reach us."""

from flask import current_app, request


def public_address() -> str:
    """Scheme and host without a slash at the end: the setting's, else what this request was sent to."""
    given: str = current_app.config["PUBLIC_URL"]
    return given or request.host_url.rstrip("/")
