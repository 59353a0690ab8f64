"""What every template can use: who is looking, where they are, and how values are shown."""

import functools
import hashlib
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import Flask, g, request, url_for
from markupsafe import Markup

from webmacs import __version__
from webmacs.core import clock
from webmacs.core.identity import ANONYMOUS, Actor
from webmacs.core.permissions import Can, allows
from webmacs.web.nav import entries


def install(app: Flask) -> None:
    """Give the templates their words."""
    static = Path(app.static_folder or "static")

    def actor() -> Actor:
        known: Actor = g.get("actor", ANONYMOUS)
        return known

    def context() -> dict[str, Any]:
        who = actor()
        return {
            "actor": None if who.is_anonymous else who,
            "can": lambda name: allows(who, Can[name]),
            "nav": entries(who, request.path),
            "now": clock.now(),
            "version": __version__,
        }

    app.context_processor(context)
    app.jinja_env.globals["asset"] = lambda path: _asset(static, path)
    app.jinja_env.filters.update(number=number, when=when, iso=clock.iso_z, resolve=_resolve)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True

    @app.after_request
    def keep_assets(response: Any) -> Any:
        named = "v" in request.args or request.path.startswith(f"{app.static_url_path}/vendor/")  # its version or hash
        if request.endpoint == "static" and response.status_code == 200 and named:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def _asset(static: Path, path: str) -> str:
    file = static / path
    return url_for("static", filename=path, v=_digest(file, file.stat().st_mtime_ns))


@functools.lru_cache(maxsize=512)
def _digest(file: Path, _modified: int) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]


def _resolve(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """The schema that a reference of the OpenAPI document points at."""
    name = schema.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = document["components"]["schemas"].get(name, schema)
    return found


def number(value: float | None, decimals: int | None = None) -> str:
    """A value for people: up to four significant decimals, no exponent in the usual range, — for none."""
    if value is None:
        return "—"
    if value < 0:
        return "−" + number(-value, decimals)
    if decimals is not None:
        return f"{value:.{decimals}f}"
    if value == 0 or 1e-4 <= abs(value) < 1e7:
        text = f"{value:.{max(0, 4 - len(str(int(abs(value)))))}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{value:.4g}"


def when(moment: datetime | None) -> Markup:
    """A moment as <time>: the full UTC time as text and for machines; the page's script adds the local zone."""
    if moment is None:
        return Markup("—")
    text = moment.strftime("%Y-%m-%d %H:%M:%S")
    return Markup('<time datetime="{}" title="{} UTC" data-local-time>{} UTC</time>').format(
        clock.iso_z(moment), text, text
    )
