"""Conversions between what a device speaks (raw) and what people read (engineering units), with their inverses."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

Params = Mapping[str, Any]
Convert = Callable[[float, Params], float]


@dataclass(frozen=True, slots=True)
class Conversion:
    """A pair of functions: ``forward`` raw → engineering, ``inverse`` engineering → raw."""

    forward: Convert
    inverse: Convert


_CONVERSIONS: dict[str, Conversion] = {}


def register_conversion(name: str, forward: Convert, inverse: Convert) -> None:
    """Make a conversion of one's own available under ``name``; registering a name again replaces it."""
    _CONVERSIONS[name] = Conversion(forward, inverse)


def known_conversions() -> tuple[str, ...]:
    """The names a ``ConversionSpec`` may use with effect."""
    return tuple(sorted(_CONVERSIONS))


class ConversionSpec(BaseModel):
    """One conversion and its parameters. An unknown type leaves values as they are."""

    model_config = ConfigDict(frozen=True)

    type: str = "none"
    params: dict[str, Any] = Field(default_factory=dict)

    @property
    def is_known(self) -> bool:
        """False when the type was never registered, so that the conversion does nothing."""
        return self.type in _CONVERSIONS

    def apply(self, value: float) -> float:
        """Raw value → engineering value."""
        conversion = _CONVERSIONS.get(self.type)
        return value if conversion is None else conversion.forward(value, self.params)

    def invert(self, value: float) -> float:
        """Engineering value → raw value."""
        conversion = _CONVERSIONS.get(self.type)
        return value if conversion is None else conversion.inverse(value, self.params)


def _identity(value: float, _params: Params) -> float:
    return value


def _linear(value: float, params: Params) -> float:
    """y = x · scale + offset."""
    return value * _number(params, "scale", 1.0) + _number(params, "offset", 0.0)


def _linear_inverse(value: float, params: Params) -> float:
    """x = (y − offset) / scale; a scale of 0 has no inverse and gives 0."""
    scale = _number(params, "scale", 1.0)
    return (value - _number(params, "offset", 0.0)) / scale if scale else 0.0


def _divide(value: float, params: Params) -> float:
    """y = x / divisor; a divisor of 0 gives 0."""
    divisor = _number(params, "divisor", 1.0)
    return value / divisor if divisor else 0.0


def _multiply(value: float, params: Params) -> float:
    return value * _number(params, "divisor", 1.0)


def _clamp(value: float, params: Params) -> float:
    return min(max(value, _number(params, "min", -math.inf)), _number(params, "max", math.inf))


def _number(params: Params, name: str, default: float) -> float:
    return float(params.get(name, default))


register_conversion("none", _identity, _identity)
register_conversion("linear", _linear, _linear_inverse)
register_conversion("divide", _divide, _multiply)
register_conversion("clamp", _clamp, _identity)
