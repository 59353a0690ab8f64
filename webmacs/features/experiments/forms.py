"""The forms of experiments."""

from typing import Any

from wtforms import SelectMultipleField, StringField

from webmacs.web.forms import SchemaForm


class StartForm(SchemaForm):
    """Start a run, over all channels or some."""

    distinct = "name"
    name = StringField("Name", render_kw={"required": True, "maxlength": 255, "autocomplete": "off"})
    event_public_ids = SelectMultipleField(
        "Channels", description="None ticked means all of them.", choices=[], validate_choice=False
    )

    def _sent(self) -> dict[str, Any]:
        sent = super()._sent()
        if not sent.get("event_public_ids"):
            sent.pop("event_public_ids", None)
        return sent


class RenameForm(SchemaForm):
    """Give a run another name."""

    distinct = "name"
    name = StringField("Name", render_kw={"required": True, "maxlength": 255})
