"""The forms of signing in and of one's own account."""

from wtforms import PasswordField, StringField

from webmacs.core.identity import Role
from webmacs.web.forms import SchemaForm

ROLES = [
    (Role.VIEWER.value, "Viewer – sees everything, changes nothing"),
    (Role.OPERATOR.value, "Operator – runs experiments and sets outputs"),
    (Role.ADMIN.value, "Administrator – also plugins, retention and users"),
]


class LoginForm(SchemaForm):
    """E-mail address and password."""

    email = StringField("E-mail", render_kw={"type": "email", "autocomplete": "username", "required": True})
    password = PasswordField("Password", render_kw={"autocomplete": "current-password", "required": True})


class ClaimForm(SchemaForm):
    """The first administrator."""

    code = StringField(
        "Claim code",
        description="Shown in the terminal where WebMACS was started.",
        render_kw={"autocomplete": "off", "required": True, "data-claim-code": True, "spellcheck": "false"},
    )
    username = StringField("Your name", render_kw={"autocomplete": "username", "required": True, "maxlength": 50})
    email = StringField("E-mail", render_kw={"type": "email", "autocomplete": "email", "required": True})
    password = PasswordField(
        "Password",
        description="At least 8 characters; 15 or more are better.",
        render_kw={"autocomplete": "new-password", "required": True, "minlength": 8, "maxlength": 128},
    )


class NameForm(SchemaForm):
    """One's own name."""

    username = StringField("Name", render_kw={"autocomplete": "username", "required": True, "maxlength": 50})


class PasswordForm(SchemaForm):
    """A new password for oneself."""

    current_password = PasswordField(
        "Present password", render_kw={"autocomplete": "current-password", "required": True}
    )
    password = PasswordField(
        "New password",
        description="At least 8 characters; 15 or more are better. All other logins end.",
        render_kw={"autocomplete": "new-password", "required": True, "minlength": 8, "maxlength": 128},
    )
