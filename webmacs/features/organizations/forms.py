"""The form of an organization."""

from wtforms import StringField

from webmacs.web.forms import SchemaForm


class OrganizationForm(SchemaForm):
    """An organization's name."""

    distinct = "name"
    name = StringField("Name", render_kw={"required": True, "maxlength": 255})
