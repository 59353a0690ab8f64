"""Which datapoints are commands, and which are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webmacs.agent.clock import HOLD, SECOND, Clock
from webmacs.agent.gate import OWN_LIMIT, Gate, Reading, Target

HEATER = Target("plg_1", "heater")
PUMP = Target("plg_2", "pump")
AGE = 30 * SECOND


@pytest.fixture
def gate():
    gate = Gate(AGE)
    gate.link(HEATER, "evt")
    gate.arm(HEATER, 1000)
    return gate


def passed(gate, *readings, now=2000):
    return [(verdict.target, verdict.setpoint.value) for verdict in gate.look(readings, now) if not verdict.reason]


def test_a_setpoint_after_arming_passes_once(gate):
    assert passed(gate, Reading("evt", 1001, 5)) == [(HEATER, 5)]
    assert passed(gate, Reading("evt", 1001, 5)) == []


def test_a_setpoint_from_before_arming_never_passes(gate):
    assert passed(gate, Reading("evt", 1000, 5)) == []
    gate.arm(HEATER, 500)
    assert passed(gate, Reading("evt", 1000, 5)) == []


def test_the_same_value_again_is_a_new_command(gate):
    assert passed(gate, Reading("evt", 1001, 5)) == [(HEATER, 5)]
    assert passed(gate, Reading("evt", 1002, 5)) == [(HEATER, 5)]


def test_an_older_one_that_comes_late_does_not_replace_a_newer_one(gate):
    assert passed(gate, Reading("evt", 1500, 5)) == [(HEATER, 5)]
    assert passed(gate, Reading("evt", 1400, 9)) == []


def test_own_datapoints_are_no_commands_and_hide_none(gate):
    gate.own("evt", 1500)
    assert passed(gate, Reading("evt", 1500, 7)) == []
    assert passed(gate, Reading("evt", 1500, 7), Reading("evt", 1400, 5)) == [(HEATER, 5)]


def test_a_disarmed_output_refuses_and_does_not_follow_later(gate):
    gate.disarm(HEATER)
    assert passed(gate, Reading("evt", 1500, 5)) == []
    gate.arm(HEATER, 1400)
    assert passed(gate, Reading("evt", 1500, 5)) == []
    assert passed(gate, Reading("evt", 1501, 6)) == [(HEATER, 6)]


def test_a_setpoint_expires(gate):
    assert passed(gate, Reading("evt", 1001, 5), now=1002 + AGE) == []


def test_one_event_may_drive_several_outputs(gate):
    gate.link(PUMP, "evt")
    gate.arm(PUMP, 1000)
    assert passed(gate, Reading("evt", 1500, 5)) == [(HEATER, 5), (PUMP, 5)]
    gate.unlink(HEATER)
    assert passed(gate, Reading("evt", 1600, 6)) == [(PUMP, 6)]


def test_what_was_seen_before_an_output_is_linked_is_not_for_it(gate):
    gate.look([Reading("other", 1500, 5)], 2000)
    gate.link(PUMP, "other")
    gate.arm(PUMP, 1000)
    assert passed(gate, Reading("other", 1500, 5)) == []
    gate.link(PUMP, "other")
    assert passed(gate, Reading("other", 1501, 6)) == [(PUMP, 6)]


def test_the_memory_of_own_datapoints_is_bounded(gate):
    for at in range(OWN_LIMIT + 1):
        gate.own("evt", at)
    assert not gate.is_own("evt", 0)
    assert gate.is_own("evt", OWN_LIMIT)
    assert gate.newest_own("evt") == OWN_LIMIT


@given(
    st.lists(
        st.tuples(st.sampled_from(["look", "arm", "disarm", "own"]), st.integers(0, 60), st.integers(0, 60)),
        max_size=40,
    )
)
def test_nothing_passes_twice_or_from_before_the_last_arming(steps):
    gate = Gate(AGE)
    gate.link(HEATER, "evt")
    armed, done, own = None, set(), set()
    for step, at, second in steps:
        if step == "look":
            readings = [Reading("evt", at, at), Reading("evt", second, second)]
            for verdict in gate.look(readings, 60):
                if not verdict.reason:
                    moment = verdict.setpoint.at
                    assert armed is not None
                    assert moment > armed
                    assert moment not in done | own
                    done.add(moment)
        elif step == "arm":
            armed = at
            gate.arm(HEATER, at)
        elif step == "disarm":
            armed = None
            gate.disarm(HEATER)
        else:
            own.add(at)
            gate.own("evt", at)


@given(st.lists(st.integers(-HOLD // 2, HOLD), max_size=50))
def test_stamps_of_one_event_always_grow(steps):
    clock, at, last = Clock(floor=100 * SECOND), 100 * SECOND, 0
    for step in steps:
        at = max(at + step, last - HOLD)
        stamp = clock.stamp("evt", at)
        assert stamp > max(last, 100 * SECOND)
        assert stamp >= at
        last = stamp


def test_a_clock_that_is_set_far_back_is_followed():
    clock = Clock()
    assert clock.stamp("evt", 5000 * SECOND) == 5000 * SECOND
    assert clock.stamp("evt", 4000 * SECOND) == 4000 * SECOND
    assert clock.stamp("evt", 4000 * SECOND) == 4000 * SECOND + 1
