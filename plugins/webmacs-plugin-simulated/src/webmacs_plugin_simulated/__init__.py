"""WebMACS driver with a fluidised-bed plant behind it that exists only as equations."""

from webmacs_plugin_simulated.config import SimulatedConfig
from webmacs_plugin_simulated.faults import Fault
from webmacs_plugin_simulated.plant import OperatingPoint, Plant
from webmacs_plugin_simulated.plugin import SimulatedPlugin

__version__ = "0.2.0"

__all__ = ["Fault", "OperatingPoint", "Plant", "SimulatedConfig", "SimulatedPlugin"]
