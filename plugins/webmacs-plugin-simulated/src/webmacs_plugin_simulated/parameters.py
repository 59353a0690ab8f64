"""The plant's dimensions and coefficients."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlantParameters:
    """A pilot-scale fluidised-bed dryer: 15 cm wide, 8 kg of sand-like solids, electrically heated, fed by compressed
    air.

    The coefficients of heat transfer are of the size that D. Kunii and O. Levenspiel give for such beds (Fluidization
    Engineering, 2nd edition, chapter 13): some 40 W/(m² K) between wall and fixed bed, some 300 when fluidised.
    """

    # Surroundings
    ambient_celsius: float = 22.0
    ambient_humidity_percent: float = 45.0

    # Gas path; flows are at 0 °C and 1.01325 bar, pressures are above ambient.
    supply_bar: float = 4.0
    valve_coefficient: float = 19.5  # m³/h per √bar, fully open
    filter_coefficient: float = 30.4  # m³/h per √bar, clean
    blocked_filter_share: float = 0.2
    leak_coefficient: float = 20.0  # m³/h per √bar
    chamber_volume: float = 0.15  # m³
    valve_seconds: float = 2.0  # time constant of the valve drive

    # Bed
    bed_diameter: float = 0.15  # m
    bed_height: float = 0.35  # m
    voidage: float = 0.45
    particle_diameter: float = 430e-6  # m
    solid_density: float = 2500.0  # kg/m³
    solid_heat_capacity: float = 800.0  # J/(kg K)

    # Heat
    wall_heater_watts: float = 4500.0
    preheater_watts: float = 1200.0
    wall_heater_capacity: float = 800.0  # J/K
    preheater_capacity: float = 600.0  # J/K
    freeboard_capacity: float = 1500.0  # J/K
    wall_conductance_fixed: float = 7.0  # W/K, heater to bed
    wall_conductance_fluidised: float = 50.0  # W/K
    wall_loss: float = 0.5  # W/K, heater to surroundings
    bed_loss: float = 2.0  # W/K
    bed_to_freeboard: float = 1.0  # W/K, without flow
    preheater_loss: float = 0.5  # W/K
    freeboard_loss: float = 6.0  # W/K, the outlet pipe is not insulated
    wall_limit_celsius: float = 650.0  # the limiters fade the power out over the last 20 K
    bed_limit_celsius: float = 490.0
    inlet_limit_celsius: float = 190.0

    # Moisture: a ratio controller doses water with the gas, more the warmer the bed is.
    feed_ratio: float = 0.03  # kg water per kg air, at full feed
    feed_span_kelvin: float = 100.0  # full feed at this many K above ambient
    humidity_seconds: float = 8.0

    @property
    def bed_area(self) -> float:
        """Cross-section of the bed, m²."""
        return math.pi / 4 * self.bed_diameter**2

    @property
    def bed_capacity(self) -> float:
        """Heat capacity of the solids, J/K."""
        mass = (1 - self.voidage) * self.solid_density * self.bed_height * self.bed_area
        return mass * self.solid_heat_capacity
