"""`Idempotency-Key`: a retried POST changes nothing and gets the first answer again."""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta

from flask import Response, request
from sqlalchemy import String, Text, delete, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from webmacs.core import clock
from webmacs.core.db import Base, db
from webmacs.core.errors import Invalid
from webmacs.core.identity import Actor

KEEP = timedelta(days=2)


class Answered(Base):
    """The first answer to a keyed POST, committed together with what the POST did."""

    __tablename__ = "idempotency_keys"
    __unaudited__ = "answers that are kept for two days; what the POST did is told"

    key_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int]
    body: Mapped[str] = mapped_column(Text)
    created_on: Mapped[datetime] = mapped_column(index=True)


def once(actor: Actor, key: str, run: Callable[[], Response]) -> Response:
    """Run the view once per (user, path, key).

    The row is inserted first: a concurrent retry waits on the unique key until the first attempt is decided.
    """
    if not 1 <= len(key) <= 255:
        raise Invalid({"": "Idempotency-Key must have 1 to 255 characters."})
    key_hash = _hash(f"{actor.user_id}\n{actor.organization_id}\n{request.path}\n{key}")
    request_hash = hashlib.sha256(request.get_data()).hexdigest()
    try:
        with db.session.begin_nested():
            db.session.execute(
                insert(Answered).values(
                    key_hash=key_hash, request_hash=request_hash, status=0, body="", created_on=clock.now()
                )
            )
    except IntegrityError:
        return _replay(key_hash, request_hash)
    response = run()
    row = db.session.get(Answered, key_hash)
    if row is not None:
        row.status, row.body = response.status_code, response.get_data(as_text=True)
    return response


def _replay(key_hash: str, request_hash: str) -> Response:
    row = db.session.get(Answered, key_hash, populate_existing=True)
    if row is None or row.request_hash != request_hash:
        raise Invalid({"": "This Idempotency-Key was used with another request body."})
    response = Response(row.body, row.status, mimetype="application/json")
    response.headers["Idempotent-Replayed"] = "true"
    return response


def forget_old() -> None:
    """Drop answers that nobody retries any more."""
    db.session.execute(delete(Answered).where(Answered.created_on < clock.now() - KEEP))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
