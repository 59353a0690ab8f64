"""The faults that can be switched on; the codes are the values of the ``fault`` channel."""

from enum import IntEnum


class Fault(IntEnum):
    """One fault at a time; 0 is the sound plant."""

    NONE = 0
    #: The heaters draw no power, whatever their set-point.
    HEATER_FAILURE = 1
    #: The outlet filter is nearly closed: chamber pressure rises, flow falls.
    BLOCKED_FILTER = 2
    #: The reactor's temperature sensor keeps showing what it showed when the fault began.
    STUCK_SENSOR = 3
    #: The reactor's temperature sensor is broken: no value.
    SENSOR_LOSS = 4
    #: The chamber leaks: its pressure falls and less gas leaves by the filter.
    LEAK = 5
    #: The valve stays where it was when the fault began.
    STUCK_VALVE = 6
    #: The inlet temperature sensor drifts upwards by 1 K per minute.
    SENSOR_DRIFT = 7


FAULT_LABELS = {
    Fault.NONE: "No fault",
    Fault.HEATER_FAILURE: "Heater failure",
    Fault.BLOCKED_FILTER: "Blocked outlet filter",
    Fault.STUCK_SENSOR: "Stuck reactor temperature sensor",
    Fault.SENSOR_LOSS: "Broken reactor temperature sensor",
    Fault.LEAK: "Leaking chamber",
    Fault.STUCK_VALVE: "Stuck valve",
    Fault.SENSOR_DRIFT: "Drifting inlet temperature sensor",
}


def fault_of(value: float) -> Fault:
    """The fault for a number as written to the channel: the nearest code, limited to those that exist."""
    return Fault(min(max(round(value), min(Fault)), max(Fault)))
