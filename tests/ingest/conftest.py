"""The fast doors over an application, without a server in front."""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask

from webmacs.ingest.directory import Directory
from webmacs.ingest.door import Answer, Door
from webmacs.ingest.writer import Writer


@dataclass
class Doors:
    """The parts that a server puts together, in an event loop of their own."""

    loop: asyncio.AbstractEventLoop
    directory: Directory
    writer: Writer
    door: Door

    def answer(self, path: str, body: Any, token: str | None = None, **headers: str) -> Answer | None:
        """What the fast door says; None when it leaves the answer to the endpoint."""
        return self.loop.run_until_complete(self._answer(path, body, token, headers))

    async def _answer(self, path: str, body: Any, token: str | None, headers: dict[str, str]) -> Answer | None:
        await self.directory.now()
        given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        if token is not None:
            given.append((b"authorization", f"Bearer {token}".encode()))
        return await self.door.answer(path, given, body if isinstance(body, bytes) else json.dumps(body).encode())

    def answers(self, path: str, bodies: list[Any], token: str) -> list[Answer | None]:
        """Several requests at the same time."""

        async def together() -> list[Answer | None]:
            return list(await asyncio.gather(*(self._answer(path, body, token, {}) for body in bodies)))

        return self.loop.run_until_complete(together())


@pytest.fixture
def doors(app: Flask) -> Iterator[Doors]:
    """Open doors."""
    loop = asyncio.new_event_loop()
    directory, writer = Directory(app), Writer(app)
    door = Door(app, app.extensions["webmacs.credentials"], directory, writer)

    async def begin() -> None:
        writer.open()

    loop.run_until_complete(begin())
    yield Doors(loop, directory, writer, door)
    loop.run_until_complete(writer.close())
    loop.close()


@pytest.fixture
def known(client_as: Callable[..., Any]) -> Callable[[Any], str]:
    """A person's bearer credential, known to the process."""

    def remember(person: Any) -> str:
        assert client_as(person).get("/api/v1/auth/me").status_code == 200
        return str(person.bearer)

    return remember
