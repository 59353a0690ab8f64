"""What an arrival leaves behind for the audit trail: what it changed, what it was refused, and where it came from.

Nothing here writes. The transaction gathers (`core.capture` listens to the session) and hands over at its end; the
factory installs who takes it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from webmacs.core.db import Transaction
    from webmacs.core.identity import Actor

UNAUDITED = {"unaudited": True}  # `info` of a column that says how things stand or are used, not how they are set up


@dataclass
class Origin:
    """Where an arrival comes from. The edge fills it in; what it leaves out was WebMACS itself.

    `door` is how somebody who is nobody yet came: "browser" or "jwt".
    """

    verb: str = "system"
    actor: "Actor | None" = None
    door: str = "system"
    address: str | None = None
    request_id: str | None = None
    reason: str | None = None


@dataclass
class Who:
    """Who did something, for an arrival that began as nobody's."""

    organization_id: int | None
    user_id: int


@dataclass
class Change:
    """One thing that was created, changed or deleted; `known` holds its columns as far as they were seen.

    `old` and `new` hold values as the database has them, by column. `table` is None for what is told by `note`.
    """

    table: str | None
    action: str
    known: dict[str, Any] = field(default_factory=dict)
    old: dict[str, Any] = field(default_factory=dict)
    new: dict[str, Any] = field(default_factory=dict)
    kind: str = ""
    count: int | None = None  # of things that were changed alike, too many to be told one by one

    def copy(self) -> "Change":
        """One that no later flush touches."""
        return replace(self, known=dict(self.known), old=dict(self.old), new=dict(self.new))


@dataclass(frozen=True)
class Refused:
    """An access that was refused: `tried` is what somebody gave as their name, or what they asked for.

    `user_id` is whose account it was about, as far as that is known.
    """

    sentence: str
    kind: str = "access"
    tried: str | None = None
    user_id: int | None = None
    address: str | None = None  # where it came from, when that is not where the arrival came from


@dataclass(frozen=True)
class Ledger:
    """Who writes down what a transaction gathered.

    `append` writes its changes and what it tells of refusals, just before the commit; `choose` says which refusals of
    one that was rolled back are told, in a transaction of their own.
    """

    append: Callable[["Transaction"], None]
    choose: Callable[["Transaction"], list[Refused]]


class _Installed:
    def __init__(self) -> None:
        self.ledger = Ledger(lambda _work: None, lambda _work: [])


installed = _Installed()
_origin: ContextVar[Origin | None] = ContextVar("origin", default=None)


@contextmanager
def came_from(origin: Origin) -> Iterator[Origin]:
    """The transactions that begin inside come from there."""
    token = _origin.set(origin)
    try:
        yield origin
    finally:
        _origin.reset(token)


def origin() -> Origin:
    """Where the present arrival comes from."""
    return _origin.get() or Origin()
