"""The fluidised-bed plant as ordinary differential equations: no clock, no noise, no WebMACS.

Gas: supply → valve → preheater → bed → freeboard (the chamber) → outlet filter → surroundings.
"""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

from webmacs_plugin_simulated import physics
from webmacs_plugin_simulated.faults import Fault
from webmacs_plugin_simulated.parameters import PlantParameters

# Runge-Kutta's limit of stability is 2.8 over the fastest rate (the chamber near ambient pressure, about 1/s).
LONGEST_STEP = 0.5

BAR = 1e5  # Pa

# An overpressure below this is none; a closed plant would else fade for ever into ever smaller numbers.
NEGLIGIBLE_BAR = 1e-9


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """What acts on the plant: heater and valve set-points in percent, and a fault."""

    heater_percent: float = 0.0
    valve_percent: float = 0.0
    fault: Fault = Fault.NONE


class State(NamedTuple):
    """The seven state variables: temperatures in °C, valve position in %, pressure in bar above ambient, kg/kg."""

    wall: float
    bed: float
    inlet: float
    outlet: float
    valve: float
    pressure: float
    moisture: float


class Flows(NamedTuple):
    """Gas flows in m³/h at 0 °C and 1.01325 bar."""

    valve: float
    filter: float
    leak: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """What ideal sensors show: °C, bar (above ambient), mbar, m³/h (at 0 °C and 1.01325 bar), % and u/u_mf."""

    temp_reactor: float
    temp_inlet: float
    temp_outlet: float
    pressure_chamber: float
    pressure_diff: float
    volume_flow: float
    humidity: float
    fluidisation: float


class Plant:
    """The plant's state, advanced step by step. ``point`` may be replaced at any time."""

    def __init__(self, parameters: PlantParameters | None = None, point: OperatingPoint | None = None) -> None:
        self.parameters = parameters or PlantParameters()
        self.point = point or OperatingPoint()
        self.seconds = 0.0
        self.state = self._cold()

    @classmethod
    def settled(cls, parameters: PlantParameters, point: OperatingPoint) -> Self:
        """A plant that has been running at ``point`` long enough not to change any more."""
        # Smaller heat capacities change the way to the steady state but not the steady state itself.
        light = replace(
            parameters,
            solid_heat_capacity=parameters.solid_heat_capacity / 40,
            wall_heater_capacity=parameters.wall_heater_capacity / 4,
            freeboard_capacity=parameters.freeboard_capacity / 4,
            preheater_capacity=parameters.preheater_capacity / 4,
        )
        model = cls(light, point)
        model.advance(600.0)
        plant = cls(parameters, point)
        plant.state = model.state
        return plant

    def _cold(self) -> State:
        ambient = self.parameters.ambient_celsius
        moisture = self._ambient_moisture()
        return State(ambient, ambient, ambient, ambient, self.point.valve_percent, 0.0, moisture)

    def advance(self, seconds: float) -> None:
        """Let the plant run for a time, by classical fourth-order Runge-Kutta in steps of at most half a second."""
        steps = math.ceil(max(seconds, 0.0) / LONGEST_STEP)
        for _ in range(steps):
            step = seconds / steps
            self.state = self._step(self.state, step)
            self.seconds += step

    def _step(self, state: State, step: float) -> State:
        first = self._slopes(state)
        second = self._slopes(_moved(state, first, step / 2))
        third = self._slopes(_moved(state, second, step / 2))
        fourth = self._slopes(_moved(state, third, step))
        mean = State(*((a + 2 * b + 2 * c + d) / 6 for a, b, c, d in zip(first, second, third, fourth, strict=True)))
        moved = _moved(state, mean, step)
        pressure = moved.pressure if moved.pressure > NEGLIGIBLE_BAR else 0.0
        return moved._replace(pressure=pressure, valve=min(max(moved.valve, 0.0), 100.0))

    def _slopes(self, state: State) -> State:
        """The time derivatives of all state variables, per second: balances of heat, gas and water."""
        p = self.parameters
        flows = self._flows(state)
        gas = flows.valve / 3600 * physics.NORMAL_DENSITY_AIR  # kg/s
        carried = gas * physics.HEAT_CAPACITY_AIR  # W/K
        power = self._heater_share()
        wall_power = power * p.wall_heater_watts * self._limiter(state.bed, p.bed_limit_celsius)
        wall_power *= self._limiter(state.wall, p.wall_limit_celsius)
        inlet_power = power * p.preheater_watts * self._limiter(state.inlet, p.inlet_limit_celsius)
        to_bed = self._wall_conductance(state) * (state.wall - state.bed)
        rising = p.bed_to_freeboard * (state.bed - state.outlet)
        drying = gas * (self._moisture_target(state) - self._ambient_moisture()) * physics.HEAT_OF_EVAPORATION
        return State(
            wall=(wall_power - to_bed - p.wall_loss * self._above_ambient(state.wall)) / p.wall_heater_capacity,
            # Gas and solids reach the same temperature within a few centimetres of bed.
            bed=(
                to_bed
                - carried * (state.bed - state.inlet)
                - p.bed_loss * self._above_ambient(state.bed)
                - rising
                - drying
            )
            / p.bed_capacity,
            inlet=(inlet_power - (carried + p.preheater_loss) * self._above_ambient(state.inlet))
            / p.preheater_capacity,
            outlet=(
                carried * (state.bed - state.outlet) + rising - p.freeboard_loss * self._above_ambient(state.outlet)
            )
            / p.freeboard_capacity,
            valve=self._valve_slope(state),
            pressure=self._pressure_slope(state, flows),
            moisture=(self._moisture_target(state) - state.moisture) / p.humidity_seconds,
        )

    def _above_ambient(self, celsius: float) -> float:
        return celsius - self.parameters.ambient_celsius

    def _heater_share(self) -> float:
        failed = self.point.fault is Fault.HEATER_FAILURE
        return 0.0 if failed else min(max(self.point.heater_percent, 0.0), 100.0) / 100

    @staticmethod
    def _limiter(celsius: float, limit: float) -> float:
        return 1 - physics.ramp(celsius, limit - 20, limit)

    def _valve_slope(self, state: State) -> float:
        if self.point.fault is Fault.STUCK_VALVE:
            return 0.0
        return (min(max(self.point.valve_percent, 0.0), 100.0) - state.valve) / self.parameters.valve_seconds

    def _flows(self, state: State) -> Flows:
        p = self.parameters
        fault = self.point.fault
        outlet = p.filter_coefficient * (p.blocked_filter_share if fault is Fault.BLOCKED_FILTER else 1.0)
        leak = p.leak_coefficient if fault is Fault.LEAK else 0.0
        supply = self._supply_bar()
        return Flows(
            valve=physics.orifice_flow(p.valve_coefficient * state.valve / 100, supply - state.pressure),
            filter=physics.orifice_flow(outlet, state.pressure),
            leak=physics.orifice_flow(leak, state.pressure),
        )

    def _supply_bar(self) -> float:
        """Supply pressure, bar: a compressor switching and other users of the net make it sway by a few percent."""
        sway = 0.02 * math.sin(2 * math.pi * self.seconds / 47) + 0.015 * math.sin(2 * math.pi * self.seconds / 173 + 1)
        return self.parameters.supply_bar * (1 + sway)

    def _pressure_slope(self, state: State, flows: Flows) -> float:
        """Bar per second: ideal gas in the chamber's volume."""
        net = (flows.valve - flows.filter - flows.leak) / 3600  # m³/s
        warmer = (state.outlet + physics.ZERO_CELSIUS) / physics.NORMAL_TEMPERATURE
        return net * physics.NORMAL_PRESSURE / self.parameters.chamber_volume * warmer / BAR

    def _gas_in_bed(self, state: State) -> tuple[float, float, float]:
        """Superficial velocity (m/s), density (kg/m³) and viscosity (Pa s) of the gas in the bed."""
        density = physics.air_density(state.bed, physics.NORMAL_PRESSURE + state.pressure * BAR)
        mass_flow = self._flows(state).valve / 3600 * physics.NORMAL_DENSITY_AIR
        return mass_flow / density / self.parameters.bed_area, density, physics.air_viscosity(state.bed)

    def _fluidisation(self, state: State) -> float:
        """Velocity over minimum fluidisation velocity."""
        p = self.parameters
        velocity, density, viscosity = self._gas_in_bed(state)
        return velocity / physics.minimum_fluidisation_velocity(
            p.voidage, p.particle_diameter, p.solid_density, density, viscosity
        )

    def _wall_conductance(self, state: State) -> float:
        p = self.parameters
        moving = physics.ramp(self._fluidisation(state), 0.8, 1.2)
        return p.wall_conductance_fixed + moving * (p.wall_conductance_fluidised - p.wall_conductance_fixed)

    def _ambient_moisture(self) -> float:
        p = self.parameters
        vapour = p.ambient_humidity_percent / 100 * physics.saturation_pressure(p.ambient_celsius)
        return physics.humidity_ratio(vapour, physics.NORMAL_PRESSURE)

    def _moisture_target(self, state: State) -> float:
        """Water per dry air in the outlet gas when nothing changes, kg/kg."""
        p = self.parameters
        feed = p.feed_ratio * physics.ramp(self._above_ambient(state.bed), 0.0, p.feed_span_kelvin)
        return self._ambient_moisture() + (feed if self._flows(state).valve > 0.5 else 0.0)

    def measure(self) -> Measurement:
        """What ideal sensors show now. Humidity is that of the outlet gas at ambient pressure, behind the filter."""
        p = self.parameters
        state = self.state
        velocity, density, viscosity = self._gas_in_bed(state)
        drop = physics.bed_pressure_drop(
            velocity, p.bed_height, p.voidage, p.particle_diameter, p.solid_density, density, viscosity
        )
        vapour = physics.vapour_pressure(state.moisture, physics.NORMAL_PRESSURE)
        return Measurement(
            temp_reactor=state.bed,
            temp_inlet=state.inlet,
            temp_outlet=state.outlet,
            pressure_chamber=state.pressure,
            pressure_diff=drop / 100,
            volume_flow=self._flows(state).valve,
            humidity=min(100 * vapour / physics.saturation_pressure(state.outlet), 100.0),
            fluidisation=self._fluidisation(state),
        )


def _moved(state: State, slopes: State, seconds: float) -> State:
    return State(*(value + slope * seconds for value, slope in zip(state, slopes, strict=True)))
