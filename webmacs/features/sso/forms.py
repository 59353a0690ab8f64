"""The forms of linked identities."""

from wtforms import PasswordField, SelectField

from webmacs.web.forms import SchemaForm


class LinkForm(SchemaForm):
    """Link an identity."""

    provider = SelectField("Provider", validate_choice=False)
    current_password = PasswordField(
        "Present password", render_kw={"autocomplete": "current-password", "required": True}
    )


class UnlinkForm(SchemaForm):
    """Part with an identity."""

    current_password = PasswordField(
        "Present password", render_kw={"autocomplete": "current-password", "required": True}
    )
