"""Reads of organizations: which ones somebody may enter."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import exists, func, select

from webmacs.core.db import db
from webmacs.core.errors import NotFound
from webmacs.core.identity import Actor, Role
from webmacs.core.permissions import Access, authorize
from webmacs.core.tenancy import as_owner
from webmacs.features.accounts.models import Membership, Organization


class Workplace(NamedTuple):
    """An organization that somebody may enter, and what they are there."""

    id: int
    public_id: str
    name: str
    created_on: datetime
    role: Role
    is_current: bool


@as_owner()  # from within one of them the others are not seen
def workplaces(actor: Actor) -> list[Workplace]:
    """The organizations that the asker may enter, by name."""
    authorize(actor, Access.SIGNED_IN)
    mine = (Membership.organization_id == Organization.id) & (Membership.user_id == actor.user_id)
    statement = select(Organization, Membership.role).outerjoin(Membership, mine).order_by(Organization.name)
    if not actor.is_installation_admin:
        statement = statement.where(Membership.id.is_not(None))
    return [
        Workplace(
            found.id,
            found.public_id,
            found.name,
            found.created_on,
            Role.ADMIN if actor.is_installation_admin else Role(role),
            found.id == actor.organization_id,
        )
        for found, role in db.session.execute(statement).all()
    ]


@as_owner()
def get(actor: Actor, public_id: str) -> Organization:
    """One of the organizations that the asker may enter."""
    for place in workplaces(actor):
        if place.public_id == public_id:
            return db.session.get_one(Organization, place.id)
    raise NotFound("Organization", public_id)


@as_owner()
def name_is_taken(name: str, *, besides: int | None = None) -> bool:
    """Whether another organization has this name, in any case of letters."""
    clause = select(Organization.id).where(
        func.lower(Organization.name) == name.lower(), Organization.id != (besides or 0)
    )
    return bool(db.session.scalar(select(exists(clause))))
