"""Who asks when a proxy stands between: what a request says about its origin counts only from configured proxies."""

import re
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, NamedTuple

from flask import request

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
WSGI = Callable[[dict[str, Any], Any], Iterable[bytes]]

FOR, PROTO, HOST = "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"
_FORWARDED = {name.encode(): name for name in (FOR, PROTO, HOST)}
_IN_WSGI = {f"HTTP_{name.upper().replace('-', '_')}": name for name in (FOR, PROTO, HOST)}
_HOST = re.compile(r"[A-Za-z0-9.-]{1,255}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?")
_PORT = re.compile(r"(?:\[(?P<six>[^\]]+)\]|(?P<four>[^:]+))(?::\d{1,5})?")


class Told(NamedTuple):
    """What is to be believed of a request: its sender, and (None: as it looks) scheme and host that it was sent to."""

    address: str
    scheme: str | None = None
    host: str | None = None


class Proxies:
    """Knows the proxies that are believed. False while there are none: nothing is believed then, and nothing costs."""

    def __init__(self, networks: Sequence[Network] = ()) -> None:
        self._networks = tuple(networks)

    def __bool__(self) -> bool:
        return bool(self._networks)

    def told(self, peer: str, said: Mapping[str, str]) -> Told:
        """What to believe of a request from `peer` whose headers (by small names) are `said`.

        X-Forwarded-For is read from the right, as far as those who wrote it are believed: the first address that is no
        proxy of ours is the sender's. Whatever stands left of it, the sender may have invented.
        """
        hop = _parsed(peer)
        if hop is None or not self._trusts(hop):
            return Told(peer)
        for text in reversed(said.get(FOR, "").split(",")):
            before = _parsed(text)
            if before is None or not self._trusts(hop):
                break
            hop = before
        scheme, host = _last(said.get(PROTO)).lower(), _last(said.get(HOST))
        return Told(
            str(hop),
            scheme if scheme in ("http", "https") else None,
            host if _HOST.fullmatch(host) is not None else None,
        )

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._networks)

    def believed(self, scope: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """An ASGI connection as its sender made it; the forwarding headers do not get any further."""
        if not self or not scope.get("client"):
            return scope
        said: dict[str, str] = {}
        headers = []
        for name, value in scope["headers"]:
            known = _FORWARDED.get(name)
            if known is None:
                headers.append((name, value))
            else:
                text = value.decode("latin-1")
                said[known] = f"{said[known]},{text}" if known in said else text
        told = self.told(scope["client"][0], said)
        if told.host is not None:
            headers = [(name, value) for name, value in headers if name != b"host"]
            headers.append((b"host", told.host.encode("latin-1")))
        scheme = scope["scheme"]
        if told.scheme is not None:
            socket = scope["type"] == "websocket"
            scheme = told.scheme.replace("http", "ws") if socket else told.scheme
        return {**scope, "client": (told.address, scope["client"][1]), "scheme": scheme, "headers": headers}

    def around(self, app: WSGI) -> WSGI:
        """A WSGI application that sees requests as their senders made them."""

        def arrive(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
            said = {known: environ.pop(name) for name, known in _IN_WSGI.items() if name in environ}
            told = self.told(environ.get("REMOTE_ADDR", ""), said)
            environ["REMOTE_ADDR"] = told.address
            if told.scheme is not None:
                environ["wsgi.url_scheme"] = told.scheme
            if told.host is not None:
                environ["HTTP_HOST"] = told.host
            return app(environ, start)

        return arrive


def client_address() -> str:
    """The address that the present request was sent from, by the rules above; empty when the server does not know it.

    It says where somebody is, never who: nothing is allowed because of it.
    """
    address = _parsed(request.remote_addr or "")
    return "" if address is None else str(address)


def neighbourhood(address: str) -> str:
    """What counts as one sender: an IPv4 address, or the /64 network of an IPv6 one: who has one of it has them all."""
    parsed = _parsed(address)
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((int(parsed) >> 64 << 64, 64)))
    return address if parsed is None else str(parsed)


def _parsed(text: str) -> Address | None:
    """An address with or without a port; None when it is none. IPv4 inside IPv6 is IPv4."""
    text = text.strip()
    try:
        found = ip_address(text)
    except ValueError:
        match = _PORT.fullmatch(text)
        if match is None:
            return None
        try:
            found = ip_address(match["six"] or match["four"])
        except ValueError:
            return None
    if isinstance(found, IPv6Address):
        return found.ipv4_mapped or IPv6Address(int(found))  # without the name of an interface
    return found


def _last(text: str | None) -> str:
    """What the nearest proxy wrote."""
    return (text or "").rpartition(",")[2].strip()
