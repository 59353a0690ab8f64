"""Conversions and their inverses."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webmacs_plugins_core import ConversionSpec, known_conversions, register_conversion

values = st.floats(-1e6, 1e6)
factors = st.floats(1e-3, 1e3) | st.floats(-1e3, -1e-3)


@pytest.mark.parametrize(
    ("spec", "raw", "engineering"),
    [
        (ConversionSpec(), 7, 7),
        (ConversionSpec(type="linear", params={"scale": 2, "offset": 10}), 5, 20),
        (ConversionSpec(type="linear", params={"scale": 0.01}), 5000, 50),
        (ConversionSpec(type="divide", params={"divisor": 10}), 1800, 180),
        (ConversionSpec(type="nobody knows this"), 3, 3),
    ],
)
def test_a_conversion_and_its_inverse_give_the_documented_values(spec, raw, engineering):
    assert spec.apply(raw) == engineering
    assert spec.invert(engineering) == raw


@given(values, factors, values)
def test_a_linear_conversion_returns_by_its_inverse(value, scale, offset):
    spec = ConversionSpec(type="linear", params={"scale": scale, "offset": offset})
    tolerance = 1e-9 * max(1, abs(offset / scale), abs(value))
    assert math.isclose(spec.invert(spec.apply(value)), value, rel_tol=1e-6, abs_tol=tolerance)


@given(values, factors)
def test_a_division_returns_by_its_inverse(value, divisor):
    spec = ConversionSpec(type="divide", params={"divisor": divisor})
    assert math.isclose(spec.invert(spec.apply(value)), value, rel_tol=1e-9, abs_tol=1e-9)


@given(values, values, values)
def test_a_clamp_keeps_inside_its_limits_and_changes_nothing_there(value, one, other):
    low, high = sorted((one, other))
    spec = ConversionSpec(type="clamp", params={"min": low, "max": high})
    assert low <= spec.apply(value) <= high
    assert spec.apply(value) == value or not low <= value <= high
    assert spec.invert(value) == value


@given(values)
def test_impossible_parameters_give_zero_instead_of_an_error(value):
    assert ConversionSpec(type="divide", params={"divisor": 0}).apply(value) == 0
    assert ConversionSpec(type="linear", params={"scale": 0}).invert(value) == 0


def test_a_conversion_of_ones_own_can_be_registered():
    assert not ConversionSpec(type="fahrenheit").is_known
    register_conversion("fahrenheit", lambda value, _: (value - 32) / 1.8, lambda value, _: value * 1.8 + 32)
    spec = ConversionSpec(type="fahrenheit")
    assert "fahrenheit" in known_conversions()
    assert spec.apply(212) == pytest.approx(100)
    assert spec.invert(100) == pytest.approx(212)
