"""Formulas of gases, moisture and particle beds, in SI units and °C; nothing here knows the plant."""

import math

ZERO_CELSIUS = 273.15  # K
GRAVITY = 9.81  # m/s²
NORMAL_PRESSURE = 101_325.0  # Pa
NORMAL_TEMPERATURE = 273.15  # K
GAS_CONSTANT_AIR = 287.05  # J/(kg K)
NORMAL_DENSITY_AIR = NORMAL_PRESSURE / (GAS_CONSTANT_AIR * NORMAL_TEMPERATURE)  # kg/m³
HEAT_CAPACITY_AIR = 1006.0  # J/(kg K), constant pressure
HEAT_OF_EVAPORATION = 2.40e6  # J/kg, water at about 40 °C
MOLAR_MASS_RATIO = 0.622  # water to air


def air_density(celsius: float, pascal: float) -> float:
    """Density in kg/m³ at a temperature in °C and an absolute pressure in Pa: ideal gas law."""
    return pascal / (GAS_CONSTANT_AIR * (celsius + ZERO_CELSIUS))


def air_viscosity(celsius: float) -> float:
    """Dynamic viscosity of air in Pa s at a temperature in °C: Sutherland's law (F. M. White, Viscous Fluid Flow)."""
    kelvin = celsius + ZERO_CELSIUS
    return 1.716e-5 * math.pow(kelvin / 273.15, 1.5) * (273.15 + 110.4) / (kelvin + 110.4)


def saturation_pressure(celsius: float) -> float:
    """Vapour pressure over water in Pa at a temperature in °C.

    Magnus form with the coefficients of Alduchov and Eskridge, Journal of Applied Meteorology 35 (1996) 601. It was
    fitted up to 50 °C and overestimates a little beyond the boiling point, where relative humidity is near zero
    anyway.
    """
    return 610.94 * math.exp(17.625 * celsius / (celsius + 243.04))


def humidity_ratio(vapour_pressure: float, pascal: float) -> float:
    """Water per dry air in kg/kg from the vapour's partial pressure and the absolute pressure, both in Pa."""
    return MOLAR_MASS_RATIO * vapour_pressure / max(pascal - vapour_pressure, 1.0)


def vapour_pressure(ratio: float, pascal: float) -> float:
    """Partial pressure of the vapour in Pa from water per dry air in kg/kg and the absolute pressure in Pa."""
    return ratio * pascal / (MOLAR_MASS_RATIO + ratio)


def ergun_pressure_drop(
    velocity: float, height: float, voidage: float, diameter: float, density: float, viscosity: float
) -> float:
    """Pressure drop in Pa of gas through a fixed bed: S. Ergun, Chemical Engineering Progress 48 (1952) 89.

    ``velocity`` is the superficial velocity in m/s, ``height`` the bed's height in m, ``voidage`` its void fraction,
    ``diameter`` that of a particle in m, ``density`` (kg/m³) and ``viscosity`` (Pa s) are the gas's.
    """
    solid = 1 - voidage
    viscous = 150 * solid**2 / voidage**3 * viscosity * velocity / diameter**2
    inertial = 1.75 * solid / voidage**3 * density * velocity**2 / diameter
    return height * (viscous + inertial)


def bed_weight(height: float, voidage: float, solid_density: float, density: float) -> float:
    """Weight less buoyancy of a bed per area, Pa: what the pressure drop of a fluidised bed equals.

    D. Kunii and O. Levenspiel, Fluidization Engineering, 2nd edition, chapter 3.
    """
    return (1 - voidage) * (solid_density - density) * GRAVITY * height


def bed_pressure_drop(
    velocity: float,
    height: float,
    voidage: float,
    diameter: float,
    solid_density: float,
    density: float,
    viscosity: float,
) -> float:
    """Pressure drop of a bed in Pa: Ergun's until it carries the bed's weight, then constant (fluidised)."""
    fixed = ergun_pressure_drop(velocity, height, voidage, diameter, density, viscosity)
    return min(fixed, bed_weight(height, voidage, solid_density, density))


def minimum_fluidisation_velocity(
    voidage: float, diameter: float, solid_density: float, density: float, viscosity: float
) -> float:
    """Superficial velocity in m/s at which Ergun's pressure drop equals the bed's weight: root of a quadratic."""
    solid = 1 - voidage
    linear = 150 * solid**2 / voidage**3 * viscosity / diameter**2
    square = 1.75 * solid / voidage**3 * density / diameter
    weight = bed_weight(1.0, voidage, solid_density, density)
    return (math.sqrt(linear**2 + 4 * square * weight) - linear) / (2 * square)


def orifice_flow(coefficient: float, pressure_difference: float, smooth_below: float = 0.01) -> float:
    """Turbulent flow through a restriction, coefficient · √Δp, in the coefficient's unit; 0 for a negative Δp.

    Below ``smooth_below`` (same unit as Δp) the root turns into a straight line, as laminar flow does; otherwise its
    infinite slope at zero would make the equations stiff.
    """
    if pressure_difference <= 0:
        return 0.0
    return coefficient * pressure_difference / math.sqrt(math.hypot(pressure_difference, smooth_below))


def ramp(value: float, start: float, end: float) -> float:
    """0 below ``start``, 1 above ``end``, linear in between."""
    return min(max((value - start) / (end - start), 0.0), 1.0)
