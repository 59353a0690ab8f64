"""A client as the documentation wants it: its own timestamps, and the same batch again until it is acknowledged."""

import http.client
import json
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.processes.rig import Running

SIZE = 50
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BATCH = "/api/v1/datapoints/batch"


class Pusher:
    """Pushes batches of one channel in a thread. `acknowledged` holds (microseconds, value) of what a 201 stood for."""

    def __init__(self, running: Running, event: str) -> None:
        self.event = event
        self.acknowledged: list[tuple[int, float]] = []
        self.attempts = 0
        self.surprises: list[str] = []  # answers that no death of a process explains
        self._running, self._token = running, running.token()
        self._start = int(time.time()) * 1_000_000
        self._connection: http.client.HTTPConnection | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._push, daemon=True)

    def __enter__(self) -> "Pusher":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(60)

    def finish(self) -> None:
        """Stop after the batch that is on its way has been acknowledged."""
        self.__exit__()
        assert not self._thread.is_alive(), "the last batch is never acknowledged"

    def _push(self) -> None:
        number = 0
        while not self._over.is_set():
            points = [(self._start + (number * SIZE + n) * 1000 + n, float(number * SIZE + n)) for n in range(SIZE)]
            items = [self._item(ts, value) for ts, value in points]
            body = json.dumps({"datapoints": items})
            while not self._deliver(body):
                time.sleep(0.05)
            self.acknowledged += points
            number += 1

    def _item(self, ts: int, value: float) -> dict[str, Any]:
        moment = EPOCH + timedelta(microseconds=ts)
        return {"event_public_id": self.event, "value": value, "timestamp": moment.isoformat()}

    def _deliver(self, body: str) -> bool:
        self.attempts += 1
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", self._running.port, timeout=10)
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"}
            self._connection.request("POST", BATCH, body, headers)
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self._connection = None
            return False
        if answer.status == 201:
            said = json.loads(text)
            if (said["accepted"], said["rejected"]) != (SIZE, []):
                self.surprises.append(text.decode())
            return True
        if answer.status != 503:
            self.surprises.append(f"{answer.status} {text.decode(errors='replace')}")
        return False
