"""The configuration every plugin instance has; drivers extend it by subclassing."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from webmacs_plugins_core.errors import PluginConfigError


class RetryPolicy(BaseModel):
    """How a lost connection is tried again: after base · factor^(n−1) seconds, at most ``max_delay``."""

    model_config = ConfigDict(frozen=True)

    max_attempts: int = Field(
        default=5,
        ge=0,
        title="Attempts",
        description="Tries before giving up; 0 never gives up.",
        json_schema_extra={"ui_order": 1},
    )
    base_delay: float = Field(
        default=1.0,
        ge=0.1,
        title="First delay (s)",
        description="Seconds before the first try.",
        json_schema_extra={"ui_order": 2},
    )
    max_delay: float = Field(
        default=60.0,
        ge=1,
        title="Longest delay (s)",
        description="The delay does not grow beyond this.",
        json_schema_extra={"ui_order": 3},
    )
    backoff_factor: float = Field(
        default=2.0,
        ge=1,
        title="Growth",
        description="Each delay is this many times the one before.",
        json_schema_extra={"ui_order": 4},
    )

    def delay(self, attempt: int) -> float:
        """Seconds to wait before attempt number ``attempt`` (counted from 1)."""
        try:
            grown = self.base_delay * self.backoff_factor ** (max(attempt, 1) - 1)
        except OverflowError:
            return self.max_delay
        return min(grown, self.max_delay)

    def allows(self, attempt: int) -> bool:
        """Whether attempt number ``attempt`` (counted from 1) may still be made."""
        return self.max_attempts == 0 or attempt <= self.max_attempts


class PluginInstanceConfig(BaseModel):
    """Base of every plugin's configuration. Unknown keys are ignored; ``ui_order`` in the schema orders a form."""

    model_config = ConfigDict(extra="ignore")

    instance_name: str = Field(
        default="",
        min_length=1,
        max_length=100,
        title="Name",
        description="Name of this instance.",
        json_schema_extra={"ui_order": 1, "ui_managed": True},
    )
    demo_mode: bool = Field(
        default=True,
        title="Demo mode",
        description="Show simulated values and touch no hardware.",
        json_schema_extra={"ui_order": 2, "ui_managed": True},
    )
    poll_interval_ms: int = Field(
        default=1000,
        ge=50,
        le=60000,
        title="Poll interval (ms)",
        description="Milliseconds between two readings of all inputs.",
        json_schema_extra={"ui_order": 3},
    )
    retry_policy: RetryPolicy = Field(
        default_factory=RetryPolicy,
        title="Reconnecting",
        description="What to do when the connection is lost.",
        json_schema_extra={"ui_order": 1000},
    )


def config_values(plugin_id: str, config: Mapping[str, Any] | str | None) -> dict[str, Any]:
    """A configuration as a dictionary, from a mapping, from JSON text of an object, or from nothing.

    Raises PluginConfigError when the text is not JSON or not an object.
    """
    if config is None:
        return {}
    if not isinstance(config, str):
        return dict(config)
    if not config.strip():
        return {}
    try:
        values = json.loads(config)
    except ValueError as error:
        raise PluginConfigError(plugin_id, f"the configuration is not valid JSON: {error}") from error
    if not isinstance(values, dict):
        raise PluginConfigError(plugin_id, "the configuration must be a JSON object")
    return values


def validated_config(
    plugin_id: str, schema: type[PluginInstanceConfig], config: Mapping[str, Any] | str | None
) -> PluginInstanceConfig:
    """The configuration as an object of ``schema``; raises PluginConfigError that names the fields."""
    values = config_values(plugin_id, config)
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        fields = {".".join(map(str, item["loc"])): str(item["msg"]) for item in error.errors()}
        text = "; ".join(f"{name or 'configuration'}: {message}" for name, message in fields.items())
        raise PluginConfigError(plugin_id, f"invalid configuration: {text}", fields) from error


def instance_config(
    config_json: str | None, *, instance_name: str, demo_mode: bool, plugin_id: str = ""
) -> dict[str, Any]:
    """The stored JSON text of an instance with the instance's own name and demo switch laid over it."""
    managed = {"instance_name": instance_name[:100], "demo_mode": demo_mode}
    return {**config_values(plugin_id, config_json), **managed}
