"""The fast doors of POST /api/v1/datapoints and /batch: the usual request, answered in the event loop.

Whatever is not usual (no bearer token in memory, an `Idempotency-Key`, a body that does not fit, a channel that is not
known) is left to the endpoints of the same path, so that each refusal has one wording and one place.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from flask import Flask

from webmacs.core.errors import Unavailable
from webmacs.core.identity import Actor
from webmacs.core.ids import new_id
from webmacs.core.permissions import Can, allows
from webmacs.features.datapoints import queries
from webmacs.features.datapoints.admit import Admitted, admit, moments
from webmacs.features.datapoints.schemas import MAX_BATCH, stamps
from webmacs.features.datapoints.store import Point
from webmacs.ingest.directory import Channels, Directory
from webmacs.ingest.writer import Writer
from webmacs.web import headers
from webmacs.web.arrival import BEARER
from webmacs.web.credentials import Credentials

SINGLE, BATCH = "/api/v1/datapoints", "/api/v1/datapoints/batch"


class Value(msgspec.Struct, gc=False):
    """One value on the wire."""

    event_public_id: str
    value: float
    timestamp: int | float | str | None = None


class Batch(msgspec.Struct):
    """Several values on the wire."""

    datapoints: list[Value]


class Answer(msgspec.Struct):
    """What is answered, in the words and the order of the endpoint."""

    status: int
    body: bytes
    headers: list[tuple[bytes, bytes]]


class Rejected(msgspec.Struct):
    """Why an item was not taken."""

    index: int
    reason: str


class Taken(msgspec.Struct, kw_only=True):
    """The reply to a batch or a single value."""

    status: str = "success"
    message: str
    public_id: str | None = None
    accepted: int
    rejected: list[Rejected] = []


class Refused(msgspec.Struct):
    """The one shape of an error."""

    detail: str


class Door:
    """Takes values for the writer."""

    def __init__(self, app: Flask, credentials: Credentials, directory: Directory, writer: Writer) -> None:
        self._credentials = credentials
        self._directory = directory
        self._writer = writer
        always = {"Content-Type": "application/json", "Cache-Control": "no-store", **headers.fixed(app)}
        always["Content-Security-Policy"] = headers.CONTENT_POLICY
        self._always = [(name.lower().encode(), value.encode()) for name, value in always.items()]
        self._single = msgspec.json.Decoder(Value)
        self._batch = msgspec.json.Decoder(Batch)
        self._encode = msgspec.json.Encoder().encode

    async def answer(self, path: str, request_headers: Iterable[tuple[bytes, bytes]], body: bytes) -> Answer | None:
        """The answer to a POST, or None when the endpoint has to give it."""
        actor = self._who(request_headers)
        channels = self._directory.fresh()
        if actor is None or channels is None:
            return None
        admitted = self._admit(path, body, channels, actor)
        if admitted is None:
            return None
        try:
            placed = await self._writer.write(actor.organization_id, channels.names, admitted)
        except Unavailable as refusal:
            return self._refuse(str(refusal), refusal.retry_after)
        return self._taken(path, admitted, placed, channels)

    def _who(self, request_headers: Iterable[tuple[bytes, bytes]]) -> Actor | None:
        """The actor of a bearer token that is in memory and may record; None for everybody else."""
        token: re.Match[str] | None = None
        for name, value in request_headers:
            if name == b"authorization":
                token = BEARER.fullmatch(value.decode("latin-1").strip())
            elif name == b"idempotency-key":
                return None
        actor = self._credentials.peek(token.group(1)) if token is not None else None
        return actor if actor is not None and allows(actor, Can.RECORD) else None

    def _admit(self, path: str, body: bytes, channels: Channels, actor: Actor) -> Admitted | None:
        known = channels.known_to(actor)
        try:
            values = self._batch.decode(body).datapoints if path == BATCH else [self._single.decode(body)]
            if len(values) > MAX_BATCH or not known.keys() >= {value.event_public_id for value in values}:
                return None
            moments_given = stamps([v.timestamp for v in values])
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        readings = [(v.event_public_id, v.value, ts) for v, ts in zip(values, moments_given, strict=True)]
        admitted = admit(readings, known, moments)
        return None if path == SINGLE and admitted.rejected else admitted

    def _taken(self, path: str, admitted: Admitted, placed: Sequence[Point], channels: Channels) -> Answer:
        count = len(admitted.timed) + len(placed)
        taken = Taken(message=f"{count} datapoint{'' if count == 1 else 's'} successfully created.", accepted=count)
        if path == SINGLE:
            event_id, ts, _ = (admitted.timed or placed)[0]
            taken.public_id = queries.public_id(channels.names[event_id], ts)
        elif admitted.rejected:
            taken.rejected = [Rejected(index, reason) for index, reason in admitted.rejected.items()]
        return self._answer(201, taken)

    def _refuse(self, sentence: str, retry_after: int) -> Answer:
        answer = self._answer(503, Refused(sentence))
        answer.headers.append((b"retry-after", str(retry_after).encode()))
        return answer

    def _answer(self, status: int, document: Any) -> Answer:
        body = self._encode(document)
        own = [(b"content-length", str(len(body)).encode()), (b"x-request-id", new_id("req").encode())]
        return Answer(status, body, [*self._always, *own])
