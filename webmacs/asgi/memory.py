"""Answers that stay the same until something is told: given again from the event loop, without asking anybody."""

import time
from collections.abc import Iterable
from typing import NamedTuple

from webmacs.core.identity import ANONYMOUS, Actor
from webmacs.core.ids import new_id
from webmacs.core.permissions import rights
from webmacs.live.sse import Scope
from webmacs.web.arrival import BEARER
from webmacs.web.credentials import Credentials
from webmacs.web.limits import Limits, is_free

LASTS = {"channels": 4.0, "health": 0.5}  # topic → seconds, should nobody have told us of a change
MOST = 500  # answers
LARGEST = 262_144  # bytes of one
OPEN = frozenset({"/health"})  # what nobody needs to be known for

Key = tuple[object, ...]


class Asked(NamedTuple):
    """A request whose answer can be remembered."""

    key: Key
    actor: Actor
    is_free: bool  # not counted, see web/limits.py


class Kept(NamedTuple):
    """One answer."""

    topic: str
    until: float  # time.monotonic()
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def fresh_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers with an id of this request's own."""
        return [*self.headers, (b"x-request-id", new_id("req").encode())]


class Memory:
    """Remembers answers by who may see them. An endpoint declares that it can be remembered, and until when.

    Lives in the event loop alone.
    """

    def __init__(self, credentials: Credentials, limits: Limits) -> None:
        self._credentials = credentials
        self._limits = limits
        self._answers: dict[Key, Kept] = {}
        self._forgotten = dict.fromkeys(LASTS, 0)

    def asked(self, scope: Scope) -> Asked | None:
        """What an answer to this request is remembered under, and who asks; None when it cannot be."""
        if scope["method"] != "GET":
            return None
        actor = ANONYMOUS
        for name, value in scope["headers"]:
            if name == b"authorization":
                token = BEARER.fullmatch(value.decode("latin-1").strip())
                known = self._credentials.peek(token.group(1)) if token is not None else None
                if known is None:
                    return None
                actor = known
            elif name in (b"cookie", b"origin", b"range") or name.startswith(b"if-"):
                return None
        if actor.is_anonymous and scope["path"] not in OPEN:
            return None
        key = (
            rights(actor),
            actor.organization_id,
            actor.scopes,
            actor.events,
            scope["scheme"],
            scope["raw_path"],
            scope["query_string"],
        )
        return Asked(key, actor, is_free(scope["path"], "GET"))

    def count(self, asked: Asked) -> list[tuple[bytes, bytes]] | None:
        """Count a request; what the answer says about it, or None when the application has to count or refuse it."""
        if asked.is_free:
            return []
        count, is_counted = self._limits.count_at_once(asked.actor)
        if not is_counted:
            return None
        return [(name.lower().encode(), value.encode()) for name, value in count.headers()] if count is not None else []

    def turn(self) -> dict[str, int]:
        """To be handed to `keep`: an answer that was begun before a change is not kept after it."""
        return dict(self._forgotten)

    def find(self, key: Key) -> Kept | None:
        """The answer, while it holds."""
        kept = self._answers.get(key)
        return kept if kept is not None and kept.until > time.monotonic() else None

    def keep(
        self,
        key: Key,
        topic: str,
        turn: dict[str, int],
        status: int,
        headers: Iterable[tuple[bytes, bytes]],
        body: bytes,
    ) -> None:
        """Remember a good answer."""
        if status != 200 or len(body) > LARGEST or turn[topic] != self._forgotten[topic]:
            return
        if len(self._answers) >= MOST:
            self._answers.clear()
        lasting = [
            (name, value) for name, value in headers if name != b"x-request-id" and not name.startswith(b"x-ratelimit-")
        ]
        if not any(name == b"set-cookie" for name, _ in lasting):
            self._answers[key] = Kept(topic, time.monotonic() + LASTS[topic], status, lasting, body)

    def forget(self, topic: str) -> None:
        """Something changed."""
        self._forgotten[topic] += 1
        self._answers = {key: kept for key, kept in self._answers.items() if kept.topic != topic}
