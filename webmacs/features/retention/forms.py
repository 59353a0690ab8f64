"""The forms of retention."""

from typing import Any

from wtforms import SelectField, StringField

from webmacs.web.forms import SchemaForm

DAYS = {"type": "number", "min": 1, "max": 36_500, "inputmode": "numeric"}


class PolicyForm(SchemaForm):
    """What is kept, for all channels or one."""

    event_public_id = SelectField("Channels", choices=[], validate_choice=False)
    raw_days = StringField("Keep values for (days)", render_kw=DAYS)
    rollup_days = StringField("Keep minima, maxima and means for (days)", render_kw=DAYS)

    def _sent(self) -> dict[str, Any]:
        # an empty field says something here: for ever
        return {"raw_days": self.raw_days.data or None, "rollup_days": self.rollup_days.data or None}
