"""The forms of users."""

from wtforms import BooleanField, PasswordField, SelectField, StringField

from webmacs.features.accounts.forms import ROLES
from webmacs.web.forms import SchemaForm


class AccountForm(SchemaForm):
    """What every user has."""

    distinct = "email"
    email = StringField("E-mail", render_kw={"type": "email", "autocomplete": "off", "required": True})
    username = StringField("Name", render_kw={"autocomplete": "off", "required": True, "maxlength": 50})
    role = SelectField("Role", choices=ROLES)

    def _show(self, errors: dict[str, str]) -> None:
        """A name that is taken is said at the name."""
        super()._show({"username" if "username" in said else field: said for field, said in errors.items()})


class NewUserForm(AccountForm):
    """A new user with a first password."""

    password = PasswordField(
        "First password",
        description="At least 8 characters; 15 or more are better. They can change it in their profile.",
        render_kw={"autocomplete": "new-password", "required": True, "minlength": 8, "maxlength": 128},
    )


class UserForm(AccountForm):
    """Changes to a user."""

    is_installation_admin = BooleanField(
        "Installation administrator", description="May enter and administer every organization, and appoint others."
    )
