"""The forms for whoever forgot a password."""

from wtforms import PasswordField, StringField

from webmacs.web.forms import SchemaForm


class ForgottenForm(SchemaForm):
    """Whose password was forgotten."""

    email = StringField("E-mail", render_kw={"type": "email", "autocomplete": "username", "required": True})


class ResetForm(SchemaForm):
    """The code of the link and a new password."""

    code = StringField(
        "Code",
        description="It stands in the mail or link that you were given.",
        render_kw={"autocomplete": "off", "required": True, "data-claim-code": True, "spellcheck": "false"},
    )
    password = PasswordField(
        "New password",
        description="At least 8 characters; 15 or more are better. You are signed out everywhere.",
        render_kw={"autocomplete": "new-password", "required": True, "minlength": 8, "maxlength": 128},
    )
