"""Tells systemd how far we are, when it asked for that (Type=notify)."""

import contextlib
import os
import socket


def notify(state: str) -> None:
    """Send a state such as READY=1; does nothing outside systemd. Protocol: sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
        connection.sendto(state.encode(), address)
