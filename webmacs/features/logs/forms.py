"""The form of a log entry."""

from wtforms import SelectField, StringField

from webmacs.features.logs.schemas import LogType
from webmacs.web.forms import SchemaForm


class LogForm(SchemaForm):
    """A new entry."""

    content = StringField("New entry", render_kw={"required": True, "maxlength": 500})
    # an id of its own: the filter on the same page has a control of this name
    logging_type = SelectField(
        "Type", id="entry_type", choices=[(t.value, t.value.capitalize()) for t in reversed(LogType)]
    )
