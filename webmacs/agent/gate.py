"""Decides which stored datapoints are new set-points for an output. Pure: no input or output of its own.

A set-point is written only when it was made after the output was armed, that is after the last moment at which its
device was brought to its safe value (start, reconnect, link lost). Nothing that waited while the controller was away
fires late, and nothing that the controller has reported itself comes back as a command.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

OWN_LIMIT = 4096


class Target(NamedTuple):
    """One output: the public id of its instance, and the channel."""

    instance: str
    channel: str


class Reading(NamedTuple):
    """One datapoint of the server; `at` in microseconds since 1970, in the server's time."""

    event: str
    at: int
    value: float


class Verdict(NamedTuple):
    """What is to be done with one set-point: write it when `reason` is empty, otherwise say why not."""

    target: Target
    setpoint: Reading
    reason: str


@dataclass
class _Output:
    event: str
    seen: int
    armed_at: int | None = None


class _Own:
    """The times of the newest datapoints of one event that the controller made itself."""

    def __init__(self) -> None:
        self._order: deque[int] = deque()
        self._times: set[int] = set()
        self.newest = 0

    def add(self, at: int) -> None:
        self._order.append(at)
        self._times.add(at)
        self.newest = max(self.newest, at)
        if len(self._order) > OWN_LIMIT:
            self._times.discard(self._order.popleft())

    def __contains__(self, at: int) -> bool:
        return at in self._times


class Gate:
    """Keeps, per output, what was seen already. `max_age` in microseconds: an older set-point has expired."""

    def __init__(self, max_age: int) -> None:
        self._max_age = max_age
        self._outputs: dict[Target, _Output] = {}
        self._own: dict[str, _Own] = {}
        self._newest: dict[str, int] = {}

    @property
    def events(self) -> set[str]:
        """The events that drive an output."""
        return {output.event for output in self._outputs.values()}

    def link(self, target: Target, event: str) -> None:
        """Let `event` drive `target`; linking the same again changes nothing."""
        known = self._outputs.get(target)
        if known is None or known.event != event:
            self._outputs[target] = _Output(event, self._newest.get(event, 0))

    def unlink(self, target: Target) -> None:
        """`target` is no longer driven."""
        self._outputs.pop(target, None)

    def targets(self, instance: str) -> list[Target]:
        """The linked outputs of one instance."""
        return [target for target in self._outputs if target.instance == instance]

    def arm(self, target: Target, at: int) -> None:
        """Accept set-points made after `at` (server's time)."""
        if target in self._outputs:
            self._outputs[target].armed_at = at

    def disarm(self, target: Target) -> None:
        """Accept nothing until `arm`."""
        if target in self._outputs:
            self._outputs[target].armed_at = None

    def own(self, event: str, at: int) -> None:
        """Remember a datapoint that the controller makes itself."""
        self._own.setdefault(event, _Own()).add(at)

    def is_own(self, event: str, at: int) -> bool:
        """Whether the controller made this datapoint."""
        return event in self._own and at in self._own[event]

    def newest_own(self, event: str) -> int:
        """The time of the newest datapoint of `event` that the controller made; 0 when there is none."""
        return self._own[event].newest if event in self._own else 0

    def look(self, readings: Iterable[Reading], now: int) -> list[Verdict]:
        """Judge what the server stores; `now` in the server's time. Each set-point is judged once per output."""
        newest: dict[str, Reading] = {}
        for reading in readings:
            known = newest.get(reading.event)
            if not self.is_own(reading.event, reading.at) and (known is None or reading.at > known.at):
                newest[reading.event] = reading
        for event, reading in newest.items():
            self._newest[event] = max(reading.at, self._newest.get(event, 0))
        verdicts = []
        for target, output in self._outputs.items():
            setpoint = newest.get(output.event)
            if setpoint is not None and setpoint.at > output.seen:
                output.seen = setpoint.at
                verdicts.append(Verdict(target, setpoint, self._reason(output, setpoint, now)))
        return verdicts

    def _reason(self, output: _Output, setpoint: Reading, now: int) -> str:
        if output.armed_at is None:
            return "the device is not connected or the outputs are in their safe state"
        if setpoint.at <= output.armed_at:
            return "it is older than the last start or safe state"
        if now - setpoint.at > self._max_age:
            return "it has expired"
        return ""
