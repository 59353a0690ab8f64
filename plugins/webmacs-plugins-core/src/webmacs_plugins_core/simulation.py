"""Signals for demo mode: what a channel shows when no device stands behind it."""

import math
import random

from pydantic import BaseModel, ConfigDict, Field

# Of the amplitude, per square root of a second: a walk then looks the same however often it is read.
WALK_STEP = 0.05


class SimulationSpec(BaseModel):
    """The shape of a simulated signal, in the channel's unit. An unknown profile is a sine wave.

    Profiles: ``sine_wave``, ``sawtooth``, ``random_walk`` (a walk reflected at base ± amplitude), ``step`` (base ±
    amplitude, changing sides each period) and ``constant``. ``noise`` is the standard deviation of a Gaussian added
    to each reading.
    """

    model_config = ConfigDict(frozen=True)

    profile: str = "sine_wave"
    base_value: float = 0.0
    amplitude: float = Field(default=1.0, ge=0)
    period_seconds: float = Field(default=60.0, ge=1)
    noise: float = Field(default=0.0, ge=0)


def default_simulation(minimum: float, maximum: float) -> SimulationSpec:
    """A slow wave over the middle half of the range, for channels that describe no simulation."""
    return SimulationSpec(base_value=(minimum + maximum) / 2, amplitude=(maximum - minimum) / 4)


class SimulatedSignal:
    """The running signal of one channel; equal seeds and equal reading times give equal values."""

    def __init__(self, spec: SimulationSpec, minimum: float, maximum: float, seed: str) -> None:
        self._spec = spec
        self._minimum = minimum
        self._maximum = maximum
        self._random = random.Random(seed)  # noqa: S311 - noise of a demo, not a secret
        self._started_at: float | None = None
        self._walked_at = 0.0
        self._walk = spec.base_value

    def value(self, now: float) -> float:
        """The value at ``now`` (seconds of any monotonic clock), inside the range, with three decimals."""
        if self._started_at is None:
            self._started_at = now
        value = self._shape(now - self._started_at)
        if self._spec.noise:
            value += self._random.gauss(0.0, self._spec.noise)
        return min(max(round(value, 3), self._minimum), self._maximum)

    def _shape(self, elapsed: float) -> float:
        spec = self._spec
        phase = elapsed % spec.period_seconds / spec.period_seconds
        match spec.profile:
            case "constant":
                return spec.base_value
            case "sawtooth":
                return spec.base_value - spec.amplitude + 2 * spec.amplitude * phase
            case "step":
                side = 1 if int(elapsed // spec.period_seconds) % 2 == 0 else -1
                return spec.base_value + side * spec.amplitude
            case "random_walk":
                return self._walk_to(elapsed)
            case _:
                return spec.base_value + spec.amplitude * math.sin(2 * math.pi * phase)

    def _walk_to(self, elapsed: float) -> float:
        spec = self._spec
        sigma = spec.amplitude * WALK_STEP * math.sqrt(max(elapsed - self._walked_at, 0.0))
        self._walked_at = elapsed
        step = self._random.gauss(0.0, sigma) if sigma else 0.0
        self._walk = _reflect(self._walk + step, spec.base_value - spec.amplitude, spec.base_value + spec.amplitude)
        return self._walk


def _reflect(value: float, low: float, high: float) -> float:
    """Fold a value back into [low, high] like light between two mirrors."""
    span = high - low
    if span <= 0:
        return low
    offset = (value - low) % (2 * span)
    return low + min(offset, 2 * span - offset)
