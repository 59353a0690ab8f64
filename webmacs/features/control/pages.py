"""Switches and sliders: every write to an output from a page."""

from flask import Response, make_response, render_template, request
from wtforms import StringField

from webmacs.core.identity import Actor
from webmacs.core.permissions import Can
from webmacs.features.control import operations
from webmacs.features.control.blueprint import bp
from webmacs.features.control.schemas import SetPoint
from webmacs.features.datapoints import queries as datapoints
from webmacs.features.events import queries as events
from webmacs.web.forms import SchemaForm
from webmacs.web.pages import local_target, page, screen, to, wants_fragment


class SetPointForm(SchemaForm):
    """The value that an output is to take."""

    value = StringField("Value")


@bp.post("/control/<event_id>")
@screen(can=Can.CONTROL)
def set_output(actor: Actor, event_id: str) -> Response:
    """Give an output a new set-point."""
    form = SetPointForm()
    done = form.submit(SetPoint, lambda wish: operations.set_output(actor, event_id, wish))
    event = events.get(actor, event_id)
    newest = next((p for p in datapoints.latest(actor) if p.event_public_id == event_id), None)
    problem = " ".join([*form.form_errors, *form.value.errors])
    if wants_fragment():
        wanted = form.value.data if done is None else None
        demo = request.form.get("demo") == "1"  # how the card was shown, and nothing more
        html = render_template(
            "control/_card.html", event=event, latest=newest, problem=problem, wanted=wanted, demo=demo
        )
        return make_response(html, form.status)
    if done is None:
        return page("control/refused.html", status=form.status, event=event, problem=problem)
    return to(local_target(request.form.get("next")))
