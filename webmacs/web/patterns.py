"""/dev/patterns: every macro in every state, in development only."""

from typing import Any

from flask import Blueprint, Response, jsonify
from werkzeug.exceptions import NotFound
from wtforms import BooleanField, RadioField, SelectField, StringField, TextAreaField

from webmacs.core.identity import Actor
from webmacs.core.permissions import Access
from webmacs.web.forms import SchemaForm
from webmacs.web.pages import page, screen

bp = Blueprint("patterns", __name__)

# ten minutes of a slow rise, with a gap
SAMPLES = [(f"2026-05-03T14:{m:02d}:00Z", None if m == 5 else 21 + 7.5 * m) for m in range(11)]
FIGURE: dict[str, Any] = {
    "data": [{"type": "scatter", "mode": "lines", "name": "Bed temperature (°C)", "x": [], "y": []}],
    "layout": {"xaxis": {"title": {"text": "Time (UTC)"}}, "yaxis": {"title": {"text": "°C"}}},
}


class PatternForm(SchemaForm):
    """A form with every kind of field."""

    name = StringField("Name", render_kw={"required": True})
    unit = StringField("Unit", render_kw={"required": True})
    note = TextAreaField("Note")
    kind = SelectField("Type", choices=[("sensor", "Sensor"), ("actuator", "Actuator")])
    level = RadioField("Level", choices=[("low", "Low"), ("high", "High")], default="low")
    enabled = BooleanField("Enabled", default=True)


@bp.get("/dev/patterns")
@screen(can=Access.PUBLIC)
def patterns(actor: Actor) -> Response:  # noqa: ARG001 - every view gets the actor
    """Every macro in every state."""
    form = PatternForm(formdata=None)
    form.name.errors, form.form_errors = ["This name is taken."], ["The channel was not saved."]
    return page("dev/patterns.html", form=form, figures=True)


@bp.get("/dev/figure.json")
@screen(can=Access.PUBLIC)
def figure(actor: Actor) -> Response:  # noqa: ARG001 - every view gets the actor
    """A figure with values."""
    times, values = zip(*SAMPLES, strict=True)
    return jsonify({**FIGURE, "data": [{**FIGURE["data"][0], "x": times, "y": values}]})


@bp.get("/dev/figure-empty.json")
@screen(can=Access.PUBLIC)
def figure_without_values(actor: Actor) -> Response:  # noqa: ARG001 - every view gets the actor
    """A figure without values."""
    return jsonify(FIGURE)


@bp.get("/dev/figure-missing.json")
@screen(can=Access.PUBLIC)
def figure_that_fails(actor: Actor) -> Response:  # noqa: ARG001 - every view gets the actor
    """A figure that cannot be read."""
    raise NotFound
