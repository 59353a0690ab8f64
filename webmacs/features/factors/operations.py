"""Every change to second factors, and every check of one."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

import pyotp
from sqlalchemy import delete, update

from webmacs.core import clock
from webmacs.core.db import affected, db, emit, note_refusal
from webmacs.core.errors import Conflict, Forbidden, Invalid, SecondFactorRequired
from webmacs.core.identity import Actor
from webmacs.core.ids import ALPHABET, new_id
from webmacs.core.permissions import Can, authorize
from webmacs.core.trail import Refused
from webmacs.features.factors import decide, queries
from webmacs.features.factors.facts import FactorsChanged
from webmacs.features.factors.models import Authenticator, Passkey, RecoveryCode, Step
from webmacs.features.factors.schemas import Purpose, Way
from webmacs.gateways import passkeys
from webmacs.gateways.passkeys import Registered, Site
from webmacs.gateways.sealing import sealer
from webmacs.gateways.signing import fingerprint

LASTS = timedelta(minutes=10)  # every step, and that somebody confirmed that it is really them
CODES = 10
CODE_LENGTH = 12  # characters of 5 bits: 60 bits, and the marks need the installation's key
MOST_PASSKEYS = 20


# --- signing in: nobody is signed in yet, so there is no actor --------------------------------------------------------


def begin(purpose: Purpose, user_id: int | None = None, handle: str | None = None) -> str:
    """Begin a step; returns the handle with which the same browser, and nobody else, goes on."""
    handle = handle or secrets.token_urlsafe(32)
    db.session.execute(delete(Step).where(Step.purpose == purpose, Step.handle == fingerprint(handle)))
    db.session.add(
        Step(
            purpose=purpose,
            handle=fingerprint(handle),
            user_id=user_id,
            challenge=secrets.token_urlsafe(48),
            expires_on=clock.now() + LASTS,
        )
    )
    db.session.flush()
    return handle


def abandon_sign_ins(user_id: int | None) -> None:
    """End the user's sign-ins that wait for a second factor: the password that began them may be in wrong hands."""
    db.session.execute(delete(Step).where(Step.purpose == Purpose.SIGN_IN, Step.user_id == user_id))


def redeem(user_id: int, code: str) -> Way | None:
    """Spend a code of the user's authenticator app or a recovery code; None when it is not right, or spent."""
    typed = decide.as_typed(code)
    if decide.is_app_code(typed):
        return Way.TOTP if _spend_app_code(user_id, typed) else None
    mark = sealer.mark(typed, f"recovery code of {user_id}")
    unused = update(RecoveryCode).where(
        RecoveryCode.user_id == user_id, RecoveryCode.mark == mark, RecoveryCode.used_on.is_(None)
    )
    return (
        Way.RECOVERY if Way.RECOVERY in queries.ways(user_id) and affected(unused.values(used_on=clock.now())) else None
    )


def require(user_id: int, code: str | None) -> Way | None:
    """What besides the password somebody proves at once, by a code; None when the password is enough.

    Raises `SecondFactorRequired` when something is missing or the code is not right.
    """
    ways = queries.ways(user_id)
    if not ways:
        return None
    way = redeem(user_id, code) if code else None
    if way is None:
        raise SecondFactorRequired(decide.what_is_missing(ways, was_given=bool(code)), user_id, ways)
    return way


def _spend_app_code(user_id: int, typed: str) -> bool:
    app = queries.authenticator(user_id)
    secret = queries.secret_of(app) if app is not None and app.confirmed_on is not None else None
    if app is None or secret is None:
        return False
    step = decide.fitting_step(secret, typed, clock.now(), app.last_step)
    if step is None:
        return False
    # whoever comes second with the same code finds it spent, also at the same moment
    spend = update(Authenticator).where(Authenticator.id == app.id, Authenticator.last_step < step)
    return bool(affected(spend.values(last_step=step)))


def answer_with_code(handle: str, code: str) -> tuple[int, Way] | None:
    """Finish a sign-in by a code: the user's id and what it was. None counts as a wrong attempt, to be committed."""
    step = queries.step(Purpose.SIGN_IN, handle, lock=True)
    if step is None or step.user_id is None:
        return None
    way = redeem(step.user_id, code)
    if way is None:
        step.attempts += 1
        note_refusal(Refused("The code was not right, or was used already.", "sign-in", user_id=step.user_id))
        return None
    db.session.delete(step)
    return step.user_id, way


def passkey_options(purpose: Purpose, handle: str, site: Site) -> str | None:
    """What to ask the browser for, as JSON, to finish a sign-in by a passkey; None when no passkey could do it."""
    step = queries.step(purpose, handle)
    if step is None or not site.has_name:
        return None
    allowed = [] if step.user_id is None else queries.usable_passkeys(step.user_id, site)
    if step.user_id is not None and not allowed:
        return None
    return passkeys.request_options(site, step.challenge, allowed)


def answer_with_passkey(purpose: Purpose, handle: str, answer: str, site: Site) -> int | None:
    """Finish a sign-in by a passkey: the user's id. None counts as a wrong attempt, to be committed; the challenge is
    spent in any case.
    """
    step = queries.step(purpose, handle, lock=True)
    if step is None:
        return None
    challenge, step.challenge = step.challenge, secrets.token_urlsafe(48)
    step.attempts += 1
    row = queries.claimed_passkey(answer)
    if row is None or row.rp_id != site.rp_id or step.user_id not in (None, row.user_id):
        note_refusal(Refused("The passkey is not one that counts here.", "sign-in", user_id=step.user_id))
        return None
    known = Registered(row.credential_id, row.public_key, row.sign_count)
    counter = passkeys.prove(answer, site, challenge, known, alone=step.user_id is None)
    if counter is None:
        note_refusal(Refused("The passkey proved nothing.", "sign-in", user_id=row.user_id))
        return None
    row.sign_count, row.last_used_at = counter, clock.now()
    db.session.delete(step)
    return row.user_id


# --- one's own factors ------------------------------------------------------------------------------------------------


def confirm(actor: Actor) -> datetime:
    """Note that the asker has just proved who they are (only the caller knows how); returns until when it counts."""
    authorize(actor, Can.MANAGE_SELF)
    begin(Purpose.CONFIRMED, actor.user_id, actor.session_id)
    return clock.now() + LASTS


def _may_change(actor: Actor) -> int:
    authorize(actor, Can.MANAGE_SELF)
    if actor.via == "token" or actor.user_id is None:
        raise Forbidden("An API token cannot change how its owner signs in.")
    queries.require_confirmed(actor)
    return actor.user_id


def begin_authenticator(actor: Actor) -> None:
    """Make the secret of an authenticator app; it counts once a first code has confirmed it."""
    user_id = _may_change(actor)
    app = queries.authenticator(user_id)
    if app is not None and app.confirmed_on is not None:
        raise Conflict("An authenticator app is set up already; remove it first.")
    if app is not None:
        db.session.delete(app)
        db.session.flush()
    sealed = sealer.seal(pyotp.random_base32(), f"authenticator of {user_id}")
    db.session.add(Authenticator(user_id=user_id, sealed_secret=sealed, created_on=clock.now()))


def finish_authenticator(actor: Actor, code: str) -> list[str]:
    """Let the authenticator app count from now on. Returns new recovery codes if there were none."""
    app = queries.authenticator(_may_change(actor))
    if app is None or app.confirmed_on is not None:
        raise Conflict("No authenticator app is being set up.")
    secret, typed = queries.secret_of(app), decide.as_typed(code)
    fits = secret is not None and decide.is_app_code(typed)
    step = decide.fitting_step(secret or "", typed, clock.now(), 0) if fits else None
    if step is None:
        raise Invalid({"code": "This is not the code that the app shows now. Is the clock of the device right?"})
    app.confirmed_on, app.last_step = clock.now(), step
    return _changed(actor, f"'{actor.username}' added an authenticator app.")


def remove_authenticator(actor: Actor) -> None:
    """Take the authenticator app away."""
    user_id = _may_change(actor)
    if affected(delete(Authenticator).where(Authenticator.user_id == user_id)):
        _changed(actor, f"'{actor.username}' removed the authenticator app.")


def begin_passkey(actor: Actor, site: Site) -> str:
    """What to ask the browser for, as JSON, to make a passkey."""
    user_id = _may_change(actor)
    present = queries.passkeys_of(user_id)
    if not site.has_name:
        raise Conflict("Browsers make passkeys only for a site with a name, not for an address of numbers.")
    if len(present) >= MOST_PASSKEYS:
        raise Conflict(f"More than {MOST_PASSKEYS} passkeys are not kept; remove one first.")
    begin(Purpose.REGISTER, user_id, actor.session_id)
    step = queries.step(Purpose.REGISTER, actor.session_id or "")
    others = [row.credential_id for row in present if row.rp_id == site.rp_id]
    user = (actor.public_id or "", actor.username)
    return passkeys.creation_options(site, step.challenge if step else "", user, others)


def finish_passkey(actor: Actor, name: str, answer: str, site: Site) -> list[str]:
    """Keep the passkey that the browser made. Returns new recovery codes if there were none."""
    user_id = _may_change(actor)
    step = queries.step(Purpose.REGISTER, actor.session_id or "", lock=True)
    made = None if step is None else passkeys.register(answer, site, step.challenge)
    if made is None:
        raise Invalid({"credential": "The passkey could not be checked. Begin again."})
    if queries.claimed_passkey(answer) is not None:
        raise Conflict("This passkey is known already.")
    db.session.delete(step)
    db.session.add(
        Passkey(
            public_id=new_id("key"),
            user_id=user_id,
            name=name,
            rp_id=site.rp_id,
            credential_id=made.credential_id,
            public_key=made.public_key,
            sign_count=made.sign_count,
            created_on=clock.now(),
        )
    )
    db.session.flush()
    return _changed(actor, f"'{actor.username}' added the passkey '{name}'.")


def remove_passkey(actor: Actor, public_id: str) -> None:
    """Take one passkey away."""
    row = queries.passkey(actor, public_id)
    _may_change(actor)
    db.session.delete(row)
    db.session.flush()
    _changed(actor, f"'{actor.username}' removed the passkey '{row.name}'.")


def renew_recovery_codes(actor: Actor) -> list[str]:
    """New recovery codes; the earlier ones end. They are returned here and never again."""
    user_id = _may_change(actor)
    if not queries.ways(user_id):
        raise Conflict("Set up an authenticator app or a passkey first.")
    return _new_codes(user_id)


def _new_codes(user_id: int) -> list[str]:
    db.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    codes = ["".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH)) for _ in range(CODES)]
    marks = (sealer.mark(code, f"recovery code of {user_id}") for code in codes)
    db.session.add_all([RecoveryCode(user_id=user_id, mark=mark) for mark in marks])
    db.session.flush()
    return ["-".join(decide.grouped(code).split()) for code in codes]


def _changed(actor: Actor, sentence: str) -> list[str]:
    """What follows from every change: recovery codes come with the first factor and go with the last one."""
    user_id = actor.user_id or 0
    db.session.flush()
    codes: list[str] = []
    ways: Sequence[Way] = queries.ways(user_id)
    if not ways:
        db.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    elif Way.RECOVERY not in ways:
        codes = _new_codes(user_id)
    emit(FactorsChanged(actor.organization_id, user_id, actor.session_id, sentence))
    return codes


# --- other people's, and housekeeping ---------------------------------------------------------------------------------


def reset(actor: Actor, user_id: int) -> None:
    """Take all second factors away from somebody who lost them: the password alone is asked for again.

    The caller has made sure that the user is the actor's to manage. All logins of the user end.
    """
    authorize(actor, Can.MANAGE_USERS)
    for table in (Authenticator, Passkey, RecoveryCode, Step):
        db.session.execute(delete(table).where(table.user_id == user_id))
    sentence = f"'{actor.username}' reset the second factors of a user."
    emit(FactorsChanged(actor.organization_id, user_id, None, sentence))


def forget_expired() -> None:
    """Delete steps that nobody can finish any more, and authenticator apps that were never confirmed."""
    db.session.execute(delete(Step).where(Step.expires_on < clock.now()))
    stale = Authenticator.created_on < clock.now() - timedelta(days=1)
    db.session.execute(delete(Authenticator).where(Authenticator.confirmed_on.is_(None), stale))
