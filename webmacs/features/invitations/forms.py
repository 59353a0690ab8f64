"""The forms of invitations."""

from wtforms import PasswordField, SelectField, StringField

from webmacs.features.accounts.forms import ROLES
from webmacs.web.forms import SchemaForm


class InvitationForm(SchemaForm):
    """Whom to invite."""

    distinct = "email"
    email = StringField("E-mail", render_kw={"type": "email", "autocomplete": "off", "required": True})
    role = SelectField("Role", choices=ROLES)


class CodeForm(SchemaForm):
    """The code of an invitation."""

    code = StringField(
        "Invitation code",
        description="It stands in the mail or link that you were given.",
        render_kw={"autocomplete": "off", "required": True, "data-claim-code": True, "spellcheck": "false"},
    )


class JoinForm(SchemaForm):
    """Who somebody is who was invited."""

    distinct = "username"
    username = StringField("Your name", render_kw={"autocomplete": "username", "required": True, "maxlength": 50})
    password = PasswordField(
        "Password",
        description="At least 8 characters; 15 or more are better.",
        render_kw={"autocomplete": "new-password", "required": True, "minlength": 8, "maxlength": 128},
    )
