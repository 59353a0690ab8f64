"""The channels of the simulated plant."""

from webmacs_plugins_core import ChannelDescriptor, ChannelDirection

from webmacs_plugin_simulated.faults import FAULT_LABELS, Fault
from webmacs_plugin_simulated.sensors import RANGES

_INPUTS = {
    "temp_reactor": ("Reactor temperature", "°C"),
    "temp_inlet": ("Inlet temperature", "°C"),
    "temp_outlet": ("Outlet temperature", "°C"),
    "pressure_chamber": ("Chamber pressure", "bar"),
    "pressure_diff": ("Bed pressure drop", "mbar"),
    "volume_flow": ("Volume flow", "m³/h"),
    "humidity": ("Outlet humidity", "%"),
}

_ACTUATORS = {"heater_power": "Heater power", "valve_position": "Valve position"}


def plant_channels() -> list[ChannelDescriptor]:
    """Seven sensors, two actuators that are safe at 0 %, and the fault switch, which is left alone on stopping."""
    sensors = [
        ChannelDescriptor(
            id=channel_id,
            name=name,
            direction=ChannelDirection.INPUT,
            unit=unit,
            min_value=RANGES[channel_id][0],
            max_value=RANGES[channel_id][1],
        )
        for channel_id, (name, unit) in _INPUTS.items()
    ]
    actuators = [
        ChannelDescriptor(
            id=channel_id,
            name=name,
            direction=ChannelDirection.OUTPUT,
            unit="%",
            safe_value=0,
            ui_hints={"widget": "slider", "step": 1},
        )
        for channel_id, name in _ACTUATORS.items()
    ]
    fault = ChannelDescriptor(
        id="fault",
        name="Fault",
        direction=ChannelDirection.OUTPUT,
        unit="code",
        min_value=min(Fault),
        max_value=max(Fault),
        ui_hints={"widget": "select", "options": {str(code.value): label for code, label in FAULT_LABELS.items()}},
    )
    return [*sensors, *actuators, fault]
