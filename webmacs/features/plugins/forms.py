"""The forms of plugin instances and their channels."""

from typing import Any

from wtforms import BooleanField, RadioField, SelectField, StringField, TextAreaField

from webmacs.features.plugins.schemas import Direction
from webmacs.web.forms import SchemaForm

CONFIG_HELP = 'As JSON, for example {"poll_interval_ms": 500}. Empty means the driver\'s defaults.'


class _InstanceFields(SchemaForm):
    distinct = "instance_name"
    instance_name = StringField("Name", render_kw={"required": True, "maxlength": 255})
    demo_mode = BooleanField("Demo mode", description="Simulated values instead of hardware.")
    enabled = BooleanField("Enabled", description="The agent runs it.", default=True)
    config_json = TextAreaField("Configuration", description=CONFIG_HELP, render_kw={"rows": 6, "spellcheck": "false"})

    def _sent(self) -> dict[str, Any]:
        # an emptied configuration is a change too
        return {**super()._sent(), "config_json": self.config_json.data or None}


class NewInstanceForm(_InstanceFields):
    """A new instance."""

    plugin_id = RadioField("Driver", choices=[], validate_choice=False)
    auto_create_events = BooleanField("Create a channel definition for each input and output", default=True)


class InstanceForm(_InstanceFields):
    """Changes to an instance."""


class ChannelForm(SchemaForm):
    """A channel added by hand."""

    distinct = "channel_id"
    channel_id = StringField("Id in the driver", render_kw={"required": True, "maxlength": 100})
    channel_name = StringField("Name", render_kw={"required": True, "maxlength": 255})
    direction = SelectField("Direction", choices=[(d.value, d.value) for d in Direction])
    unit = StringField("Unit", render_kw={"required": True, "maxlength": 50})
