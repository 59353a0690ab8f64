"""The form of proving once more who one is."""

from wtforms import PasswordField

from webmacs.web.forms import SchemaForm


class ProofForm(SchemaForm):
    """The present password; those who have none type a code into the same field."""

    proof = PasswordField("Present password", render_kw={"autocomplete": "current-password", "required": True})
