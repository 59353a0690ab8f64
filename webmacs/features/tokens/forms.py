"""The form of a new API token."""

from wtforms import DateTimeLocalField, IntegerField, StringField

from webmacs.core.identity import Scope
from webmacs.core.permissions import SCOPES
from webmacs.web.forms import SchemaForm, TicksField


def _means(scope: Scope) -> str:
    return f"{scope.value}: " + "; ".join(can.value for can in sorted(SCOPES[scope], key=lambda can: can.name))


class TokenForm(SchemaForm):
    """A new API token."""

    name = StringField("What is it for?", render_kw={"required": True, "maxlength": 255})
    expires_at = DateTimeLocalField(
        "Valid until (UTC)", description="Empty means until it is deleted.", format="%Y-%m-%dT%H:%M"
    )
    scopes = TicksField(
        "Limited to",
        description="Nothing chosen means everything that you may do. A script that only sends values needs ingest.",
        choices=[(scope.value, _means(scope)) for scope in Scope],
    )
    networks = StringField(
        "Only from these networks", description="For example 192.168.1.0/24, 10.0.0.7. Empty means from everywhere."
    )
    events = StringField("Only for these channels", description="Their ids, with commas between. Empty means for all.")

    requests_per_minute = IntegerField(
        "Requests a minute at most",
        description="Empty means as many as everybody may send.",
        render_kw={"min": 1, "inputmode": "numeric"},
    )

    def _sent(self) -> dict[str, object]:
        sent = super()._sent()
        for name in ("networks", "events"):
            if name in sent:
                sent[name] = [part.strip() for part in str(sent[name]).split(",") if part.strip()]
        return {name: value for name, value in sent.items() if value != []}
