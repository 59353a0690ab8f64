"""What stands in an entry, how it is linked to the one before, and how many refusals are told one by one."""

import ipaddress
import json
import re
import threading
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any

from webmacs.core import clock

GENESIS = "0" * 64  # stands for the hash before the first entry
LONGEST = 1_000  # characters of a value; longer texts are cut
DAMAGED = "damaged"  # the action of an entry that tells of a damaged head
CHANGED = "changed"  # all that is told of a secret
SECRET = re.compile(
    r"(password|passwd|secret|sealed|hash|token|key|code|credential|challenge|handle|(^|_)mark$)(?!.*_id$)",
    re.IGNORECASE,
)
SEALED = (
    *("chain", "number", "public_id", "occurred_on", "user_public_id", "username", "via", "session_public_id", "verb"),
    *("action", "kind", "object_public_id", "object_name", "old", "new", "reason", "address", "request_id", "outcome"),
    "sentence",
)  # the fields that a hash covers


def canonical(entry: Mapping[str, Any], before: str) -> str:
    """What is sealed for an entry: all of its fields in a fixed order, after the hash of the entry before."""
    values = [entry[name] for name in SEALED]
    plain = [clock.to_micros(value) if isinstance(value, datetime) else value for value in values]
    return before + "\n" + json.dumps(plain, ensure_ascii=False, separators=(",", ":"))


def head(chain: int, count: int, last: str) -> str:
    """What is sealed for the head of a chain."""
    return f"head\n{chain}\n{count}\n{last}"


def shown(name: str, value: Any) -> Any:
    """A value as an entry tells it: no secret, no endless text, moments in ISO 8601."""
    if value is None:
        return None
    if SECRET.search(name):
        return CHANGED
    if isinstance(value, str) and value[:1] in ("{", "["):
        value = _parsed(value)
    if isinstance(value, dict):
        return {str(key): shown(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [shown("", inner) for inner in value]
    return _plain(name, value)


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, datetime):
        return clock.iso_z(value)
    if isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return clock.iso_z(clock.from_micros(value)) if name.endswith("_us") else value
    text = value.hex() if isinstance(value, bytes) else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def plainly(values: Mapping[str, Any]) -> str:
    """Field → value as JSON, in the order of the names."""
    return json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


class Limit:
    """Lets so many refusals of a minute through for each address, and for all together; counts the rest. Thread-safe.

    `now` is in seconds of a clock that never goes back. IPv6 addresses count by their network of 64 bits.
    """

    def __init__(self, each: int = 20, together: int = 200, window: float = 60.0) -> None:
        self._each = each
        self._together = together
        self._window = window
        self._since = float("-inf")
        self._told: Counter[str] = Counter()
        self._missed: Counter[str] = Counter()
        self._due: Counter[str] = Counter()  # missed in windows that are over
        self._lock = threading.Lock()

    def take(self, address: str | None, now: float) -> bool:
        """Whether a refusal is told by itself."""
        place = network(address)
        with self._lock:
            self._turn(now)
            if self._told.total() < self._together and self._told[place] < self._each:
                self._told[place] += 1
                return True
            if place not in self._missed and len(self._missed) >= self._together:
                place = "elsewhere"  # what is remembered does not grow with the number of addresses
            self._missed[place] += 1
            return False

    def rest(self, now: float) -> dict[str, int]:
        """Where from → how many were only counted in the minutes that are over; each is given once."""
        if not self._missed and not self._due:
            return {}
        with self._lock:
            self._turn(now)
            due, self._due = dict(self._due), Counter()
            return due

    def _turn(self, now: float) -> None:
        if now - self._since >= self._window:
            self._due += self._missed
            self._since, self._told, self._missed = now, Counter(), Counter()


def network(address: str | None) -> str:
    """Where a request comes from, as far as it is counted."""
    try:
        known = ipaddress.ip_address(address or "")
    except ValueError:
        return address or "unknown"
    if known.version == 6:
        return str(ipaddress.ip_network((known, 64), strict=False))
    return str(known)
