"""The moment a request arrives: what its route declares, who is asking, and the one transaction around it."""

import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Any, Literal

from flask import Flask, Response, current_app, g, request, session
from flask_login import UserMixin, current_user, login_user
from flask_wtf.csrf import CSRFProtect

from webmacs.core import outage, trail
from webmacs.core.db import Transaction, current, note_refusal, transaction
from webmacs.core.errors import Forbidden, Invalid, SecondFactorRequired, Unauthenticated, Unavailable
from webmacs.core.identity import ANONYMOUS, Actor, Recognised
from webmacs.core.permissions import Access, Can
from webmacs.core.tenancy import enter
from webmacs.web.credentials import Credentials
from webmacs.web.proxies import client_address

LASTS_UNTIL = "webmacs.lasts_until"  # in the WSGI environment: the answer holds until this topic is told
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LIMITED = "This API token is limited to some channels; it cannot do this."
LONGEST_REASON = 500  # characters of X-Reason
BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)

csrf = CSRFProtect()
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Edge:
    """What a route declares about itself. A route without one does not start (see factory.py)."""

    kind: Literal["page", "api"]
    can: Can | Access
    summary: str = ""
    body: Any = None
    query: Any = None
    out: Any = None
    status: int = 200
    errors: tuple[int, ...] = ()
    streams: str | None = None
    uploads: tuple[str, ...] = ()  # media types of a body that is not JSON
    by_channel: bool = False  # keeps to the channels that a token is limited to
    largest: str | None = None  # the application's configuration key of the largest body, when it is not the usual one
    calls_out: bool = False  # the view asks servers elsewhere: no transaction is open meanwhile, a job opens its own
    is_visited: bool = False  # browsers go there by themselves: a refusal is a page to those that say so


def largest_bodies(app: Flask) -> dict[str, int]:
    """Path → bytes, for the routes that take larger bodies than the others."""
    found = {}
    for rule in app.url_map.iter_rules():
        edge: Edge | None = getattr(app.view_functions[rule.endpoint], "__edge__", None)
        if edge is not None and edge.largest is not None:
            found[rule.rule] = int(app.config[edge.largest])
    return found


def allow_large(edge: Edge) -> None:
    """Let the body of this request be as large as its route says."""
    if edge.largest is not None:
        request.max_content_length = current_app.config[edge.largest]


@dataclass(frozen=True)
class Authenticators:
    """How a credential becomes an actor; the factory hands in the functions of the accounts feature."""

    bearer: Callable[[str], Recognised]
    session: Callable[[str], Recognised]
    note_use: Callable[[Actor], None]


class SignedIn(UserMixin):  # type: ignore[misc]  # flask-login ships no types
    """What flask-login keeps for a browser: the id of a session row, never a user's id."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor

    def get_id(self) -> str:
        """The public id of the session row."""
        return self.actor.session_id or ""


def identify(can: Can | Access = Access.SIGNED_IN) -> Actor:
    """Who is asking: the bearer credential when there is one (then no cookie counts), else the browser's session.

    Raises `Unauthenticated` for a credential that is not valid. Where anybody may go it is nobody's instead: a client
    with a stale token must be able to sign in again, and to ask for the health while the database is away.

    From here on the arrival is within the actor's organization, also for the database. Recognising is not, for it looks
    through all of them, and what anybody may do is not either: signing in, being invited, claiming.
    """
    actor = _known(can)
    # one that calls out has no transaction of its own: those of its jobs are about a user, wherever they belong
    if can is not Access.PUBLIC and not actor.is_anonymous and current() is not None:
        enter(actor.organization_id)
    return actor


def _known(can: Can | Access = Access.SIGNED_IN) -> Actor:
    if "actor" not in g:
        try:
            if "refused" in g:  # asked once already, see identify_early
                raise g.refused
            g.actor = _identify()
        except (Unauthenticated, *outage.AWAY) as error:
            if can is not Access.PUBLIC:
                g.refused = error
                raise
            g.actor = ANONYMOUS
    actor: Actor = g.actor
    return actor


def _identify() -> Actor:
    header = request.headers.get("Authorization")
    if header:
        match = BEARER.fullmatch(header.strip())
        if match is None:
            return ANONYMOUS
        token = match.group(1)
        found = remembered().recognise(token, lambda: authenticators().bearer(token))
        _refuse_elsewhere(found.networks)
        g.use_is_due = found.use_is_due
        return found.actor
    return current_user.actor if current_user.is_authenticated else ANONYMOUS


def _refuse_elsewhere(networks: tuple[str, ...] | None) -> None:
    """An API token may be limited to the networks of the machines that use it."""
    if networks is None:
        return
    here = client_address()
    if not here or not any(ip_address(here) in ip_network(network) for network in networks):
        raise Unauthenticated("This API token cannot be used from here.")


def check_channels(edge: Edge, actor: Actor) -> None:
    """Refuse a token that is limited to some channels where the route does not keep to them."""
    if actor.events is not None and not edge.by_channel and edge.can is not Access.PUBLIC:
        raise Forbidden(LIMITED)


def identify_early() -> Actor:
    """Who is asking, before the arrival's transaction begins; nobody for a credential that its route will refuse."""
    try:
        with transaction(write=False):
            return _known()
    except (Unauthenticated, *outage.AWAY):
        return ANONYMOUS


def remember_browser(session_id: str) -> None:
    """Sign this browser in with the login that was just opened for it.

    Nothing of what the browser had before, its CSRF secret included, survives.
    """
    found = authenticators().session(session_id)
    session.clear()
    session.permanent = True
    login_user(SignedIn(found.actor))


def device() -> str:
    """What the browser or client says that it is."""
    return request.headers.get("User-Agent", "")


def lifetime() -> timedelta:
    """How long a login lasts."""
    return timedelta(minutes=current_app.config["ACCESS_TOKEN_EXPIRE_MINUTES"])


def load_browser(session_id: str) -> SignedIn | None:
    """flask-login's question: who is behind the id in the cookie?"""
    try:
        # what a bearer shows never has a blank in it, so the two cannot be mistaken for each other
        found = remembered().recognise(f"session {session_id}", lambda: authenticators().session(session_id))
    except Unauthenticated:
        return None
    g.use_is_due = found.use_is_due
    return SignedIn(found.actor)


def authenticators() -> Authenticators:
    """The functions that the factory installed."""
    installed: Authenticators = current_app.extensions["webmacs.authenticators"]
    return installed


def remembered() -> Credentials:
    """What this process remembers of bearer credentials."""
    installed: Credentials = current_app.extensions["webmacs.credentials"]
    return installed


def check_csrf(edge: Edge, actor: Actor) -> None:
    """Ask for the CSRF token on every unsafe request that a browser could have been tricked into.

    Bearer credentials are not sent by browsers on their own, and an anonymous API call has nothing to steal.
    """
    if request.method in SAFE_METHODS or "Authorization" in request.headers:
        return
    if edge.kind == "page" or actor.via == "browser":
        csrf.protect()


@contextmanager
def arriving(can: Can | Access, door: str = "jwt", *, write: bool) -> Iterator[Transaction]:
    """The arrival's transaction, which knows where it comes from; an access that is refused in it is noted."""
    origin = _origin(door)
    with trail.came_from(origin), transaction(write=write) as work:
        try:
            yield work
        except (Unauthenticated, Forbidden) as refused:
            _note_refusal(work, refused, can)
            raise
        finally:
            origin.actor = g.get("actor")


def _origin(door: str) -> trail.Origin:
    verb = (request.endpoint or request.path).removesuffix("_json")
    return trail.Origin(verb, None, door, client_address() or None, g.get("request_id"))


def _note_refusal(work: Transaction, refused: Unauthenticated | Forbidden, can: Can | Access) -> None:
    # who shows nothing is sent to the sign-in, which is no refusal
    shown = can is Access.PUBLIC or "Authorization" in request.headers
    is_told = isinstance(refused, Forbidden) or (shown and not isinstance(refused, SecondFactorRequired))
    if is_told and not work.refusals:
        note_refusal(trail.Refused(str(refused), tried=f"{request.method} {request.path}"[:500]))


def within_transaction(view: Callable[[], Response], edge: Edge, *, write: bool) -> Response:
    """Run the view in the arrival's transaction and keep its work only if the answer is below 400."""
    with arriving(edge.can, _door(edge), write=write) as work:
        response = view()
        if response.status_code >= 400:
            work.abandon()
        elif write:
            work.origin.reason = _reason()
    _note_use()
    return response


def _door(edge: Edge) -> str:
    return "browser" if edge.kind == "page" else "jwt"


def _note_use() -> None:
    if not g.pop("use_is_due", False):
        return
    # at most once a minute for each credential, and apart from the arrival: reading pages keep nothing else
    try:
        with transaction():
            authenticators().note_use(g.actor)
    except outage.AWAY as error:  # a note is no reason to refuse what was done: the disk may be full
        outage.report(log, "the use of a credential was not noted", error)


def _reason() -> str | None:
    """Why the client does it, in its own words. Raises `Invalid` when it has too many."""
    given = request.headers.get("X-Reason", "").encode("latin-1")
    text = "".join(c if c.isprintable() else " " for c in given.decode("utf-8", "replace")).strip()
    if len(text) > LONGEST_REASON:
        raise Invalid({"": f"X-Reason must have at most {LONGEST_REASON} characters."})
    return text or None


_calls_out = threading.BoundedSemaphore(6)  # of the 16 threads that answer: one slow server must not hold them all


def without_transaction(view: Callable[[], Response], edge: Edge) -> Response:
    """Run a view that waits for servers elsewhere; the transactions of its jobs know where they come from.

    Raises `Unavailable` when too many wait already.
    """
    if not _calls_out.acquire(blocking=False):
        raise Unavailable("Too many sign-ins wait for the identity provider. Try again in a few seconds.")
    origin = _origin(_door(edge))
    try:
        with trail.came_from(origin):
            with suppress(Unauthenticated, *outage.AWAY), transaction(write=False):
                origin.actor = _known()
            try:
                response = view()
            except (Unauthenticated, Forbidden) as refused:
                with transaction(write=False) as work:
                    _note_refusal(work, refused, edge.can)
                raise
    finally:
        _calls_out.release()
    _note_use()
    return response


def query_values() -> dict[str, Any]:
    """The query string as a plain dictionary; a repeated name becomes a list."""
    return {name: values if len(values) > 1 else values[0] for name, values in request.args.lists()}
