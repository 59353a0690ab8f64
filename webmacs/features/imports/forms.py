"""The forms of imports."""

from typing import Any

from flask import request
from wtforms import RadioField, SelectField, StringField

from webmacs.features.imports.schemas import DELIMITERS, STAMPS, Preview
from webmacs.web.forms import SchemaForm

SHAPES = {"long": "Each row holds one value", "wide": "Each row holds a value of several channels, a column each"}
BY_COLUMN = ("", "as a column says")
NONE = ("", "–")


class MappingForm(SchemaForm):
    """How the columns of a file are to be read; the channels of a wide file's columns are fields of their own."""

    shape = RadioField("Rows", choices=list(SHAPES.items()), default="long", validate_choice=False)
    timestamp_column = SelectField("Column of the time", choices=[], validate_choice=False)
    timestamp_format = SelectField("The time is", choices=list(STAMPS.items()), validate_choice=False)
    timezone = StringField("Time zone", description="Of times that name none themselves, for example Europe/Berlin.")
    delimiter = SelectField("Cells are separated by", choices=list(DELIMITERS.items()), validate_choice=False)
    decimal = SelectField(
        "Decimals are written with", choices=[(".", "a point"), (",", "a comma")], validate_choice=False
    )
    value_column = SelectField("Column of the value", choices=[], validate_choice=False)
    event_public_id = SelectField("Channel", choices=[], validate_choice=False)
    channel_column = SelectField("Column of the channel", choices=[], validate_choice=False)

    def fill(self, shown: Preview, channels: list[tuple[str, str]]) -> None:
        """Offer the file's columns and the channels."""
        columns = [(column, column) for column in shown.columns]
        self.timestamp_column.choices = columns
        self.value_column.choices = [NONE, *columns]
        self.channel_column.choices = [NONE, *columns]
        self.event_public_id.choices = [BY_COLUMN, *channels]
        for field in (self.value_column, self.channel_column, self.event_public_id):
            field.flags.required = False

    def _sent(self) -> dict[str, Any]:
        sent = super()._sent()
        # the place of a column stands in the name of its field: a column's own name could be anything
        header = request.form.getlist("column")
        chosen = {column: request.form.get(f"channel-{at}", "") for at, column in enumerate(header)}
        sent["columns"] = {column: event for column, event in chosen.items() if event}
        if sent.get("shape") == "wide":
            for name in ("value_column", "channel_column", "event_public_id"):
                sent.pop(name, None)
        else:
            sent.pop("columns")
        return sent
