"""The plant's sensors: ranges, noise, and the faults that concern a sensor alone."""

import random

from webmacs_plugin_simulated import physics
from webmacs_plugin_simulated.faults import Fault
from webmacs_plugin_simulated.plant import Measurement

#: What each sensor can show, in its channel's unit.
RANGES: dict[str, tuple[float, float]] = {
    "temp_reactor": (20, 500),
    "temp_inlet": (15, 200),
    "temp_outlet": (15, 300),
    "pressure_chamber": (0, 6),
    "pressure_diff": (0, 100),
    "volume_flow": (0, 40),
    "humidity": (0, 100),
}

DRIFT_KELVIN_PER_SECOND = 1 / 60


class Sensors:
    """Turns what is into what is shown. Equal seeds and equal samples give equal readings."""

    def __init__(self, seed: str, noise: float = 1.0) -> None:
        """``noise`` multiplies the standard deviations of all sensors; 0 makes them ideal."""
        self._random = random.Random(seed)  # noqa: S311 - noise of a simulation, not a secret
        self._noise = noise
        self._shown: dict[str, float | None] = {}
        self._fault = Fault.NONE
        self._fault_since = 0.0

    def sample(self, measurement: Measurement, fault: Fault, seconds: float) -> dict[str, float | None]:
        """The readings by channel id at the plant's time ``seconds``; None for a broken sensor."""
        if fault is not self._fault:
            self._fault, self._fault_since = fault, seconds
        readings: dict[str, float | None] = {}
        for channel_id, (low, high) in RANGES.items():
            value = getattr(measurement, channel_id) + self._random.gauss(0.0, self._deviation(channel_id, measurement))
            if fault is Fault.SENSOR_DRIFT and channel_id == "temp_inlet":
                value += DRIFT_KELVIN_PER_SECOND * (seconds - self._fault_since)
            readings[channel_id] = min(max(round(value, 3), low), high)
        if fault is Fault.SENSOR_LOSS:
            readings["temp_reactor"] = None
        elif fault is Fault.STUCK_SENSOR and self._shown.get("temp_reactor") is not None:
            readings["temp_reactor"] = self._shown["temp_reactor"]
        self._shown = readings
        return readings

    def _deviation(self, channel_id: str, measurement: Measurement) -> float:
        """Standard deviation of a sensor's noise in the channel's unit."""
        match channel_id:
            case "temp_reactor":
                deviation = 0.25
            case "temp_inlet" | "temp_outlet":
                deviation = 0.2
            case "pressure_chamber":
                deviation = 0.003
            case "pressure_diff":
                # Bubbles of a fluidised bed make its pressure drop restless.
                deviation = 0.1 + 0.9 * physics.ramp(measurement.fluidisation, 1.0, 2.0)
            case "volume_flow":
                deviation = 0.02 + 0.005 * measurement.volume_flow
            case _:
                deviation = 0.02 + 0.01 * measurement.humidity
        return deviation * self._noise
