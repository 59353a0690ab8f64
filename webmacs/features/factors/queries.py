"""Reads of second factors and of the steps under way."""

from collections.abc import Sequence

from sqlalchemy import exists, func, select

from webmacs.core import clock
from webmacs.core.db import db
from webmacs.core.errors import Conflict, NotFound
from webmacs.core.identity import Actor
from webmacs.core.permissions import Access, authorize
from webmacs.features.factors import decide
from webmacs.features.factors.models import Authenticator, Passkey, RecoveryCode, Step
from webmacs.features.factors.schemas import PasskeyOut, Purpose, Summary, Way
from webmacs.gateways import passkeys
from webmacs.gateways.sealing import sealer
from webmacs.gateways.signing import fingerprint

MOST_ATTEMPTS = 5  # wrong codes after one right password


def ways(user_id: int) -> tuple[Way, ...]:
    """What the user can prove besides the password; nothing means that the password is enough."""
    totp = exists().where(Authenticator.user_id == user_id, Authenticator.confirmed_on.is_not(None))
    passkey = exists().where(Passkey.user_id == user_id)
    recovery = exists().where(RecoveryCode.user_id == user_id, RecoveryCode.used_on.is_(None))
    row = db.session.execute(select(totp, passkey, recovery)).one()
    if not (row[0] or row[1]):
        return ()
    return tuple(way for way, there in zip((Way.TOTP, Way.PASSKEY, Way.RECOVERY), row, strict=True) if there)


def summary(actor: Actor) -> Summary:
    """The asker's own second factors."""
    authorize(actor, Access.SIGNED_IN)
    since = db.session.scalar(select(Authenticator.confirmed_on).where(Authenticator.user_id == actor.user_id))
    left = select(func.count()).where(RecoveryCode.user_id == actor.user_id, RecoveryCode.used_on.is_(None))
    shown = [
        PasskeyOut(row.public_id, row.name, row.rp_id, row.created_on, row.last_used_at)
        for row in passkeys_of(actor.user_id or 0)
    ]
    return Summary(since, shown, db.session.scalar(left) or 0)


def authenticator(user_id: int) -> Authenticator | None:
    """The user's authenticator app, confirmed or not."""
    return db.session.scalar(select(Authenticator).where(Authenticator.user_id == user_id))


def secret_of(app: Authenticator) -> str | None:
    """The secret that the app shares with us; None when SECRET_KEY is not the one it was sealed with."""
    return sealer.open(app.sealed_secret, f"authenticator of {app.user_id}")


def enrolment(actor: Actor, name: str) -> tuple[str, str] | None:
    """Secret and picture of the asker's authenticator app while it waits for its first code, else None."""
    authorize(actor, Access.SIGNED_IN)
    app = authenticator(actor.user_id or 0)
    secret = secret_of(app) if app is not None and app.confirmed_on is None and is_confirmed(actor) else None
    return None if secret is None else (decide.grouped(secret), decide.picture(decide.enrolment_link(secret, name)))


def passkeys_of(user_id: int) -> Sequence[Passkey]:
    """The user's passkeys, oldest first."""
    return db.session.scalars(select(Passkey).where(Passkey.user_id == user_id).order_by(Passkey.id)).all()


def any_passkey() -> bool:
    """Whether anybody has one: else nobody is offered to sign in by it."""
    return bool(db.session.scalar(select(exists(select(Passkey.id)))))


def passkey(actor: Actor, public_id: str) -> Passkey:
    """One of the asker's own passkeys."""
    authorize(actor, Access.SIGNED_IN)
    mine = select(Passkey).where(Passkey.user_id == actor.user_id, Passkey.public_id == public_id)
    row = db.session.scalar(mine)
    if row is None:
        raise NotFound("Passkey", public_id)
    return row


def claimed_passkey(answer: str) -> Passkey | None:
    """The passkey that the browser's answer claims to be, locked until the transaction ends."""
    claimed = passkeys.credential_id(answer)
    return db.session.scalar(select(Passkey).where(Passkey.credential_id == claimed).with_for_update())


def usable_passkeys(user_id: int, site: passkeys.Site) -> list[str]:
    """The credential ids of the user's passkeys that were made for this site."""
    return [row.credential_id for row in passkeys_of(user_id) if row.rp_id == site.rp_id]


def step(purpose: Purpose, handle: str, *, lock: bool = False) -> Step | None:
    """The step under way of whoever has the handle; None when there is none or it took too long."""
    mine = select(Step).where(Step.purpose == purpose, Step.handle == fingerprint(handle))
    row = db.session.scalar(mine.with_for_update() if lock else mine)
    return row if row is not None and row.expires_on > clock.now() and row.attempts < MOST_ATTEMPTS else None


def is_confirmed(actor: Actor) -> bool:
    """Whether the asker proved a moment ago, in this login, that it is really them."""
    return bool(actor.session_id) and step(Purpose.CONFIRMED, actor.session_id or "") is not None


def require_confirmed(actor: Actor) -> None:
    """Raise `Conflict` unless the asker confirmed that it is really them."""
    if not is_confirmed(actor):
        raise Conflict("Confirm first that it is you: this was too long ago.")
