"""Rates and shares from growing counters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webmacs_plugin_system.rates import BusyShare, CounterRate


def test_the_first_reading_has_no_rate():
    assert CounterRate().update(1000, 5.0) is None


@given(st.floats(0, 1e12), st.floats(0, 1e9), st.floats(0.01, 1e4))
def test_a_rate_is_growth_over_time(start, growth, seconds):
    rate = CounterRate()
    rate.update(start, 0.0)
    assert rate.update(start + growth, seconds) == pytest.approx(growth / seconds, abs=1e-3 / seconds)


def test_a_counter_that_was_reset_gives_no_rate_once():
    rate = CounterRate()
    rate.update(1000, 0.0)
    assert rate.update(10, 1.0) is None
    assert rate.update(30, 2.0) == 20


def test_a_missing_counter_interrupts_the_rate():
    rate = CounterRate()
    rate.update(1000, 0.0)
    assert rate.update(None, 1.0) is None
    assert rate.update(2000, 2.0) is None
    assert rate.update(2500, 3.0) == 500


def test_no_time_gives_no_rate():
    rate = CounterRate()
    rate.update(1, 1.0)
    assert rate.update(2, 1.0) is None


def test_the_busy_share_is_of_the_time_between_two_readings():
    share = BusyShare()
    assert share.update(100, 1000) is None
    assert share.update(101, 1004) == 25
    assert share.update(105, 1008) == 100
    assert share.update(105, 1008) is None


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)), min_size=2, max_size=10))
def test_a_busy_share_is_a_percentage_whatever_the_accounts_say(readings):
    share = BusyShare()
    values = [share.update(busy, total) for busy, total in readings]
    assert all(value is None or 0 <= value <= 100 for value in values)
