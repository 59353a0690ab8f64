"""One short-lived cookie that only we can read: what a browser carries between two steps of a visit."""

from typing import TypeVar

from flask import Response, current_app, request
from pydantic import BaseModel, ValidationError

from webmacs.gateways.sealing import sealer

P = TypeVar("P", bound=BaseModel)
SECONDS = 600


def carry(response: Response, parcel: BaseModel | None, seconds: int = SECONDS) -> Response:
    """Give the browser the parcel to carry, instead of the one it has; None takes that away."""
    secure = bool(current_app.config["SESSION_COOKIE_SECURE"])
    sealed = "" if parcel is None else sealer.seal_parcel(parcel.model_dump(), type(parcel).__name__, seconds)
    response.set_cookie(
        _name(),
        sealed,
        max_age=seconds if sealed else 0,
        secure=secure,
        httponly=True,
        samesite="Lax",  # it must come along when another site sends the browser back to us
    )
    return response


def carried(kind: type[P]) -> P | None:
    """The parcel that the browser carries, if it is of this kind and not too old."""
    content = sealer.open_parcel(request.cookies.get(_name(), ""), kind.__name__)
    try:
        return None if content is None else kind.model_validate(content)
    except ValidationError:  # of an earlier version of ours
        return None


def _name() -> str:
    return "__Host-webmacs-visit" if current_app.config["SESSION_COOKIE_SECURE"] else "webmacs-visit"
