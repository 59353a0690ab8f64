"""Senders that never stop while something breaks: they keep each answer, and know what they were promised."""

import http.client
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.processes.rig import Running

SIZE = 20
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BATCH = "/api/v1/datapoints/batch"
PATIENCE = 35.0  # seconds; nobody may be kept waiting longer


@dataclass(frozen=True)
class Said:
    """One answer."""

    status: int
    retry_after: str | None
    detail: str
    seconds: float


class Sender:
    """Sends batches to a channel of its own in a thread.

    What can be repeated (timed values, or any with an `Idempotency-Key`) is repeated until it is acknowledged; untimed
    values without a key are not, because nobody could tell a repetition from new values.
    """

    def __init__(self, running: Running, *, timed: bool, keyed: bool, token: str | None = None) -> None:
        self.name = f"{'timed' if timed else 'untimed'} {'keyed' if keyed else 'fast'} {id(self)}"
        self.event = running.new_event(f"Sent {self.name}")
        self.acknowledged: list[float] = []
        self.doubtful: set[float] = set()  # sent, and neither acknowledged nor sent again
        self.answers: list[Said] = []
        self.surprises: list[str] = []
        self._running, self._token = running, token or running.token()
        self._timed, self._keyed = timed, keyed
        self._start = int(time.time()) * 1_000_000
        self._connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=PATIENCE)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)

    def __enter__(self) -> "Sender":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(2 * PATIENCE)

    def finish(self) -> None:
        """Stop after what is on its way has been decided."""
        self.__exit__()
        assert not self._thread.is_alive(), f"{self.name} hangs"

    @property
    def refusals(self) -> list[Said]:
        """The answers that were no acknowledgement."""
        return [said for said in list(self.answers) if said.status != 201]

    def _send(self) -> None:
        for number in itertools.count():
            values = [float(number * SIZE + n) for n in range(SIZE)]
            while not self._over.is_set() or values[0] in self.doubtful:
                status = self._post(number, values)
                if status == 201:
                    self.acknowledged += values
                    self.doubtful -= set(values)
                    break
                self.doubtful |= set(values)
                if not self._timed and not self._keyed:
                    break
                time.sleep(0.05)
            if self._over.is_set():
                return

    def _post(self, number: int, values: list[float]) -> int:
        body = json.dumps({"datapoints": [self._item(value) for value in values]})
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"}
        if self._keyed:
            headers["Idempotency-Key"] = f"{self.name} {number}"
        began = time.monotonic()
        try:
            self._connection.request("POST", BATCH, body, headers)
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.surprises.append(f"{error!r} after {time.monotonic() - began:.1f} s")
            self._connection.close()
            return 0
        document: dict[str, Any] = json.loads(text)
        retry, seconds = answer.headers.get("Retry-After"), time.monotonic() - began
        self.answers.append(Said(answer.status, retry, str(document.get("detail", "")), seconds))
        if answer.status == 201 and (document["accepted"], document["rejected"]) != (SIZE, []):
            self.surprises.append(text.decode())
        return answer.status

    def _item(self, value: float) -> dict[str, Any]:
        item = {"event_public_id": self.event, "value": value}
        if self._timed:
            item["timestamp"] = (EPOCH + timedelta(microseconds=self._start + int(value) * 1000)).isoformat()
        return item


def check_refusals(senders: Sequence[Sender], sentences: set[str]) -> None:
    """Every refusal was a 503 that says when to come again and why, and nobody waited for too long."""
    for sender in senders:
        assert sender.surprises == [], sender.name
        seen = {(said.status, said.detail) for said in sender.refusals}
        assert seen <= {(503, sentence) for sentence in sentences}, (sender.name, seen)
        assert all((said.retry_after or "").isdigit() for said in sender.refusals), sender.name
        assert max(said.seconds for said in sender.answers) < PATIENCE


def check_stored(sender: Sender, values: Sequence[float]) -> None:
    """What was acknowledged is stored exactly once; what was refused once at most; nothing else is."""
    counts = Counter(values)
    assert [value for value in sender.acknowledged if counts[value] != 1] == [], sender.name
    assert set(counts) <= set(sender.acknowledged) | sender.doubtful, sender.name
    assert set(counts.values()) <= {1}, sender.name
    assert len(sender.acknowledged) >= SIZE, sender.name
