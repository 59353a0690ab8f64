"""Configurations, their schema for forms, and channel descriptions."""

import pytest
from pydantic import Field, ValidationError
from webmacs_plugins_core import (
    ChannelDescriptor,
    PluginConfigError,
    PluginInstanceConfig,
    PluginMeta,
    RetryPolicy,
    channels_of,
    checked_config,
    config_json_schema,
    instance_config,
)


def test_the_retry_delay_grows_to_its_limit():
    policy = RetryPolicy(base_delay=1, backoff_factor=2, max_delay=10)
    assert [policy.delay(attempt) for attempt in (1, 2, 3, 4, 5, 5000)] == [1, 2, 4, 8, 10, 10]


def test_attempts_are_limited_unless_the_limit_is_zero():
    assert RetryPolicy(max_attempts=2).allows(2)
    assert not RetryPolicy(max_attempts=2).allows(3)
    assert RetryPolicy(max_attempts=0).allows(10_000)


@pytest.mark.parametrize("interval", [49, 60001])
def test_a_poll_interval_out_of_its_limits_is_refused(interval):
    with pytest.raises(ValidationError):
        PluginInstanceConfig(poll_interval_ms=interval)


def test_unknown_keys_are_ignored(bench_class):
    assert "colour" not in checked_config(bench_class, {"colour": "red"})


def test_json_text_configures_a_plugin(bench_class):
    plugin = bench_class()
    plugin.configure('{"poll_interval_ms": 250, "demo_mode": false}')
    assert plugin.poll_interval_seconds == 0.25
    assert not plugin.demo_mode


@pytest.mark.parametrize("text", ["{", "[1]", '"x"', "3"])
def test_text_that_is_no_json_object_is_refused(bench_class, text):
    with pytest.raises(PluginConfigError):
        channels_of(bench_class, text)


def test_a_refused_field_is_named(bench_class):
    with pytest.raises(PluginConfigError) as caught:
        channels_of(bench_class, {"poll_interval_ms": 1, "retry_policy": {"max_delay": 0}})
    assert set(caught.value.fields) == {"poll_interval_ms", "retry_policy.max_delay"}
    assert str(caught.value).startswith("[bench] ")


def test_a_refused_configuration_leaves_the_earlier_one(bench):
    with pytest.raises(PluginConfigError):
        bench.configure({"poll_interval_ms": 1})
    assert bench.config.instance_name == "Bench 1"
    assert len(bench.channels) == 4


def test_the_instance_lays_its_name_and_switch_over_the_stored_text():
    merged = instance_config('{"poll_interval_ms": 100, "demo_mode": true}', instance_name="A" * 255, demo_mode=False)
    assert merged == {"poll_interval_ms": 100, "demo_mode": False, "instance_name": "A" * 100}
    assert instance_config(None, instance_name="B", demo_mode=True) == {"instance_name": "B", "demo_mode": True}


def test_the_schema_lists_a_drivers_fields_in_form_order(bench_class):
    class Config(PluginInstanceConfig):
        host: str = Field(default="", json_schema_extra={"ui_order": 10})
        port: int = Field(default=502, json_schema_extra={"ui_order": 9})

    driver = type("Driver", (bench_class,), {"config_schema": Config})
    names = list(config_json_schema(driver)["properties"])
    assert names == ["instance_name", "demo_mode", "poll_interval_ms", "port", "host", "retry_policy"]


def test_channels_are_listed_without_connecting(bench_class):
    assert [channel.id for channel in channels_of(bench_class)] == ["temperature", "pressure", "valve", "lamp"]


def test_a_failing_channel_list_is_a_configuration_error(bench_class):
    class Failing(bench_class):
        def get_channels(self):
            raise FileNotFoundError("no such map")

    with pytest.raises(PluginConfigError, match="no such map"):
        channels_of(Failing)


def test_two_channels_of_one_id_are_a_configuration_error(bench_class):
    class Doubled(bench_class):
        def get_channels(self):
            return super().get_channels() * 2

    with pytest.raises(PluginConfigError, match="same id"):
        channels_of(Doubled)


@pytest.mark.parametrize("wrong", [{"min_value": 2, "max_value": 1}, {"direction": "sideways"}, {"max_value": "nan"}])
def test_an_impossible_channel_is_refused(wrong):
    with pytest.raises(ValidationError):
        ChannelDescriptor(**{"id": "x", "name": "X", "direction": "input", **wrong})


def test_meta_cannot_be_changed_and_becomes_plain_data():
    meta = PluginMeta(id="x", name="X", version="1", tags=["a", "b"])
    with pytest.raises(AttributeError):
        meta.id = "y"
    assert meta.to_dict() == {
        "id": "x",
        "name": "X",
        "version": "1",
        "vendor": "",
        "description": "",
        "protocol": "",
        "url": "",
        "tags": ["a", "b"],
    }
