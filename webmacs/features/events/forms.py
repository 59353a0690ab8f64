"""The form of a channel."""

from wtforms import SelectField, StringField

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


class NumberField(StringField):  # type: ignore[misc]  # wtforms ships no types
    """A number as people write it: 20 rather than 20.0, and with a decimal comma or point."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """What was typed; the schema tells whether it is a number."""
        self.data = valuelist[0].strip().replace(",", ".") if valuelist else None

    def _value(self) -> str:
        return "" if self.data is None else str(self.data).removesuffix(".0")


class EventForm(SchemaForm):
    """A channel."""

    distinct = "name"
    name = StringField("Name", render_kw={"required": True, "maxlength": 255, "autofocus": True})
    type = SelectField("Type", choices=[(key.value, label) for key, label in TYPE_NAMES.items()])
    unit = StringField(
        "Unit", description="As it is to be shown: °C, bar, %.", render_kw={"required": True, "maxlength": 255}
    )
    min_value = NumberField("Lowest value", default=0, render_kw={"inputmode": "decimal", "required": True})
    max_value = NumberField("Highest value", default=100, render_kw={"inputmode": "decimal", "required": True})
