"""The conformance suite accepts a sound driver and refuses unsound ones."""
# ruff: noqa: ARG005 - the replacements have to keep the signatures

import pytest
from webmacs_plugins_core import ChannelDescriptor, PluginMeta
from webmacs_plugins_core.conformance import ConformanceSuite

TESTS = sorted(name for name in dir(ConformanceSuite) if name.startswith("test_"))


def suite_for(driver):
    return type("Suite", (ConformanceSuite,), {"plugin_class": driver})()


def failures(driver) -> list[str]:
    failed = []
    for name in TESTS:
        try:
            getattr(suite_for(driver), name)()
        except Exception:  # noqa: BLE001 - an unsound driver may fail its test in any way
            failed.append(name)
    return failed


def test_there_are_thirteen_tests():
    assert len(TESTS) == 13


def test_a_sound_driver_passes_all(bench_class):
    assert failures(bench_class) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"meta": PluginMeta(id="Big Bench", name="B", version="1")}, "test_the_id_is_lower_case_without_spaces"),
        ({"meta": PluginMeta(id="b", name="", version="1")}, "test_meta_has_an_id_a_name_and_a_version"),
        ({"get_channels": lambda self: []}, "test_there_is_at_least_one_channel"),
        (
            {"get_channels": lambda self: [ChannelDescriptor(id="x", name="X", direction="input")]},
            "test_every_channel_has_a_unit",
        ),
        ({"_demo_read": lambda self, channel: None}, "test_every_input_has_a_value_in_demo_mode"),
    ],
)
def test_an_unsound_driver_fails_the_test_that_is_meant_for_it(bench_class, changes, expected):
    driver = type("Unsound", (bench_class,), changes)
    assert failures(driver) == [expected]
