"""The form of exports."""

from typing import Any

from wtforms import RadioField, SelectField, SelectMultipleField, StringField

from webmacs.features.exports.schemas import FORMAT_NAMES
from webmacs.web.forms import SchemaForm

MOMENT = {"type": "datetime-local", "step": 1}


class ExportForm(SchemaForm):
    """Ask for a file."""

    distinct = ""
    format = RadioField("Format", choices=list(FORMAT_NAMES.items()), default="csv", validate_choice=False)
    experiment_public_id = SelectField("Experiment", choices=[], validate_choice=False)
    start = StringField("From (UTC)", render_kw=MOMENT)
    stop = StringField("To (UTC)", render_kw=MOMENT)
    event_public_ids = SelectMultipleField(
        "Channels", description="None ticked means all of them.", choices=[], validate_choice=False
    )

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.experiment_public_id.flags.required = False  # its first choice is none

    def _sent(self) -> dict[str, Any]:
        sent = super()._sent()
        if not sent.get("event_public_ids"):
            sent.pop("event_public_ids", None)
        return sent
