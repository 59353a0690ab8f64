"""Reads of invitations."""

from sqlalchemy import Select, select

from webmacs.core import clock
from webmacs.core.db import db
from webmacs.core.errors import NotFound
from webmacs.core.identity import Actor
from webmacs.core.paging import Page, PageQuery, paginate
from webmacs.core.permissions import Can, authorize
from webmacs.features.invitations.models import Invitation
from webmacs.gateways.signing import fingerprint


def _open() -> Select[Invitation]:
    return select(Invitation).where(Invitation.ended_on.is_(None), Invitation.expires_on > clock.now())


def find(actor: Actor, query: PageQuery) -> Page[Invitation]:
    """The organization's invitations that can still be accepted, newest first."""
    authorize(actor, Can.MANAGE_USERS)
    mine = _open().where(Invitation.organization_id == actor.organization_id)
    return paginate(mine.order_by(Invitation.id.desc()), query)


def get(actor: Actor, public_id: str) -> Invitation:
    """One of them."""
    authorize(actor, Can.MANAGE_USERS)
    mine = _open().where(Invitation.organization_id == actor.organization_id, Invitation.public_id == public_id)
    found = db.session.scalar(mine)
    if found is None:
        raise NotFound("Invitation", public_id)
    return found


def by_id(public_id: str) -> Invitation | None:
    """An open invitation, for the job that writes its mail."""
    return db.session.scalar(_open().where(Invitation.public_id == public_id))


def by_code(code: str, *, lock: bool = False) -> Invitation | None:
    """The open invitation that this code fits; `lock` keeps others from accepting it at the same moment."""
    statement = _open().where(Invitation.code_hash == fingerprint(code))
    if lock:
        statement = statement.with_for_update(of=Invitation).execution_options(populate_existing=True)
    return db.session.scalar(statement)
