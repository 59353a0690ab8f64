"""The forms of second factors."""

from wtforms import HiddenField, StringField

from webmacs.web.forms import SchemaForm


class AppCodeForm(SchemaForm):
    """The first code of an authenticator app."""

    code = StringField(
        "Code that the app shows",
        description="Six digits.",
        render_kw={
            "autocomplete": "one-time-code",
            "inputmode": "numeric",
            "maxlength": 10,
            "required": True,
            "spellcheck": "false",
        },
    )


class PasskeyForm(SchemaForm):
    """What a new passkey is called."""

    distinct = "name"
    name = StringField(
        "Name of the passkey",
        description="How you recognise it, for example “Phone” or “Blue key”.",
        render_kw={"autocomplete": "off", "maxlength": 100, "required": True},
    )


class PasskeyAnswerForm(SchemaForm):
    """The browser's answer about a new passkey."""

    name = HiddenField()
    credential = HiddenField()
