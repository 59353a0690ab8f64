"""The form of a channel."""

from wtforms import DecimalField, SelectField, StringField

from webmacs.features.events.schemas import EventType
from webmacs.web.forms import SchemaForm

TYPE_NAMES = {
    EventType.SENSOR: "Sensor – is only read",
    EventType.ACTUATOR: "Actuator – is switched on and off",
    EventType.RANGE: "Range – is set to a value",
    EventType.CMD_BUTTON: "Command: button",
    EventType.CMD_OPENED: "Command: opening time",
    EventType.CMD_CLOSED: "Command: closing time",
}


class EventForm(SchemaForm):
    """A channel."""

    distinct = "name"
    name = StringField("Name", render_kw={"required": True, "maxlength": 255, "autofocus": True})
    type = SelectField("Type", choices=[(key.value, label) for key, label in TYPE_NAMES.items()])
    unit = StringField(
        "Unit", description="As it is to be shown: °C, bar, %.", render_kw={"required": True, "maxlength": 255}
    )
    min_value = DecimalField(
        "Lowest value", default=0, places=None, render_kw={"inputmode": "decimal", "required": True}
    )
    max_value = DecimalField(
        "Highest value", default=100, places=None, render_kw={"inputmode": "decimal", "required": True}
    )
