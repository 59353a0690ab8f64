"""The way of every sample: into the buffer on disk first, then to the server in batches, and out of the buffer."""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog
from pydantic import ValidationError

from webmacs.agent.buffer import CHECKPOINT_SECONDS, Buffer, Sample, Stored
from webmacs.agent.client import Client, RefusedError, ServerError, UnreachableError
from webmacs.agent.server_log import ServerLog
from webmacs.agent.wire import BatchReply, to_iso

log = structlog.get_logger(__name__)

LARGEST_BATCH = 500
# Samples of several instances that arrive almost together travel in one request.
LINGER = 0.1
LONGEST_PAUSE = 5.0
REMINDER = 60.0
SPILL_LIMIT = 10_000
# The server looked at the items and does not want one of them; other refusals are about the request, not the data.
BAD_ITEM = frozenset({400, 409, 413, 422})


class Outbox:
    """Stores samples and forwards them, oldest first; nothing is forgotten before the server has acknowledged it.

    The disk is only touched from one thread of its own, so that a slow card delays no reading. Samples that the disk
    refuses (full, read-only) wait in memory, at most `SPILL_LIMIT`, and are stored as soon as it takes them again.
    """

    def __init__(self, buffer: Buffer, client: Client, server_log: ServerLog) -> None:
        self._buffer = buffer
        self._client = client
        self._server_log = server_log
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="buffer")
        self._spill: deque[Sample] = deque(maxlen=SPILL_LIMIT)
        self._lost = 0
        self._wake = asyncio.Event()
        self._batch_size = LARGEST_BATCH
        self._reminded = {"dropped": -REMINDER, "disk": -REMINDER}
        self._explained: set[tuple[str, str]] = set()
        self._checkpointed = time.monotonic()
        self._away = False

    async def add(self, samples: Sequence[Sample]) -> None:
        """Store the samples; returns when they are safe from the death of this process."""
        if not samples:
            return
        dropped = await self._on_disk(self._store, samples)
        self._wake.set()
        total = self._buffer.dropped
        if dropped and self._remind("dropped", "the buffer is full: oldest samples dropped", total=total):
            self._server_log.error(f"The controller's buffer is full: oldest samples are dropped, {total} so far")

    async def run(self) -> None:
        """Forward for ever. Pauses grow to `LONGEST_PAUSE` seconds while the server is away."""
        pause = 0.5
        while True:
            self._wake.clear()
            try:
                more = await self.forward()
                pause = 0.5
                self._note_contact()
            except ServerError as failed:
                self._note_failure(failed)
                await asyncio.sleep(pause)
                pause, more = min(2 * pause, LONGEST_PAUSE), True
            if not more:
                await self._wake.wait()
                await asyncio.sleep(LINGER)

    async def forward(self, attempts: int = 3) -> bool:
        """Send one batch; returns whether more samples wait. Raises `ServerError`; then everything stays stored."""
        waiting: list[Stored] = await self._on_disk(self._take)
        if not waiting:
            return False
        try:
            reply = await self._send([entry.sample for entry in waiting], attempts)
        except RefusedError as refused:
            if refused.status not in BAD_ITEM:
                raise
            await self._narrow(waiting, str(refused))
            return True
        self._batch_size = min(2 * self._batch_size, LARGEST_BATCH)
        rejected = {item.index: item.reason for item in reply.rejected if 0 <= item.index < len(waiting)}
        taken = [entry for index, entry in enumerate(waiting) if index not in rejected]
        await self._settle(taken, [(waiting[index], reason) for index, reason in rejected.items()])
        return self._buffer.count > 0

    async def flush(self, seconds: float) -> None:
        """Send what waits, for at most `seconds`; the rest stays stored."""
        try:
            async with asyncio.timeout(seconds):
                while await self.forward(attempts=1):
                    pass
        except (TimeoutError, ServerError):
            log.warning("samples stay stored until the next start", waiting=self._buffer.count)

    async def close(self) -> None:
        """Bring everything onto the medium and close the file."""
        try:
            await self._on_disk(self._buffer.checkpoint)
        except sqlite3.Error as failed:
            self._remind("disk", "the buffer cannot be brought to disk", reason=str(failed))
        await self._on_disk(self._buffer.close)
        self._disk.shutdown()

    async def _on_disk(self, work: Any, *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._disk, work, *args)

    async def _send(self, samples: Sequence[Sample], attempts: int) -> BatchReply:
        items = [
            {"event_public_id": sample.event, "value": sample.value, "timestamp": to_iso(sample.at)}
            for sample in samples
        ]
        content = await self._client.post("datapoints/batch", {"datapoints": items}, attempts=attempts)
        try:
            return BatchReply.model_validate(content)
        except ValidationError as failed:
            raise UnreachableError("the answer to a batch is not ours; is WEBMACS_SERVER_URL right?") from failed

    async def _narrow(self, waiting: list[Stored], reason: str) -> None:
        """A whole batch was refused: look for the guilty item by sending ever smaller ones."""
        if len(waiting) > 1:
            self._batch_size = len(waiting) // 2
        else:
            await self._settle([], [(waiting[0], reason)])

    async def _settle(self, taken: list[Stored], rejected: list[tuple[Stored, str]]) -> None:
        try:
            await self._on_disk(self._buffer.settle, taken, rejected)
        except sqlite3.Error as failed:
            self._remind("disk", "the buffer cannot be written", reason=str(failed))
            raise UnreachableError("the disk did not take the acknowledgement; the batch is sent again") from failed
        for entry, reason in rejected:
            self._explain(entry.sample.event, reason)

    def _explain(self, event: str, reason: str) -> None:
        """Say once per event and reason that samples are rejected."""
        if (event, reason) not in self._explained and len(self._explained) < 1000:
            self._explained.add((event, reason))
            log.warning("the server rejected a sample; it is kept in quarantine", event_id=event, reason=reason)
            self._server_log.warning(f"Samples of {event} are rejected and kept in quarantine: {reason}")

    def _take(self) -> list[Stored]:
        if self._spill:
            self._store([])
        try:
            if self._buffer.count and time.monotonic() - self._checkpointed > CHECKPOINT_SECONDS:
                self._buffer.checkpoint()
                self._checkpointed = time.monotonic()
            return self._buffer.oldest(self._batch_size) if self._buffer.count else []
        except sqlite3.Error as failed:
            self._remind("disk", "the buffer cannot be read", reason=str(failed))
            raise UnreachableError("the buffer cannot be read") from failed

    def _store(self, samples: Sequence[Sample]) -> int:
        try:
            dropped = self._buffer.add([*self._spill, *samples])
        except sqlite3.Error as failed:
            self._lost += max(0, len(self._spill) + len(samples) - SPILL_LIMIT)
            self._spill.extend(samples)
            facts = {"waiting": len(self._spill), "lost": self._lost}
            self._remind("disk", "samples wait in memory", reason=str(failed), **facts)
            return 0
        self._spill.clear()
        return dropped

    def _remind(self, topic: str, message: str, **facts: object) -> bool:
        """Log an error, at most once a minute for each topic; returns whether it was logged."""
        if time.monotonic() - self._reminded[topic] < REMINDER:
            return False
        self._reminded[topic] = time.monotonic()
        log.error(message, **facts)
        return True

    def _note_failure(self, failed: ServerError) -> None:
        if not self._away:
            log.warning("samples are kept until the server takes them", reason=str(failed))
        self._away = True

    def _note_contact(self) -> None:
        if self._away:
            log.info("the server takes samples again", waiting=self._buffer.count)
        self._away = False
