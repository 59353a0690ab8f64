"""The refusals an operation can answer with. They know no HTTP; factory.py holds the one table that does."""

from collections.abc import Mapping
from typing import Any


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not a fault
    """Base of all expected refusals; `str()` is a sentence for the user."""


class NotFound(Refusal):
    """Nothing by that id, or nothing that this actor may see."""

    def __init__(self, kind: str, public_id: str | None = None) -> None:
        super().__init__(f"{kind} '{public_id}' not found." if public_id is not None else f"{kind} not found.")


class Unauthenticated(Refusal):
    """Nobody is signed in, or the credential is not valid (any more)."""


class SecondFactorRequired(Unauthenticated):
    """The password was right and is not enough: one of the `ways` must follow. Nobody is signed in yet."""

    def __init__(self, sentence: str, user_id: int, ways: tuple[str, ...]) -> None:
        super().__init__(sentence)
        self.user_id = user_id
        self.ways = ways


class Forbidden(Refusal):
    """The actor is known and may not do this."""


class Conflict(Refusal):
    """A duplicate, or the thing is in the wrong state for the verb."""


class Invalid(Refusal):
    """Refused because of fields: field → what is wrong with it. An empty field name means the whole input."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__(" ".join(fields.values()))
        self.fields = dict(fields)


class BadRequest(Refusal):
    """The request does not fit the declared schema; `errors` lists the places (loc, msg, type) for the reply."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__("The request does not fit.")
        self.errors = errors


class NotOffered(NotFound):
    """Something that the settings switch off."""

    def __init__(self, sentence: str) -> None:
        Refusal.__init__(self, sentence)


class Rejected(Refusal):
    """What was presented to get in (a code, a state, a claim) does not count, or no longer."""


class Misconfigured(Refusal):
    """The settings lack something; the sentence names it."""


class Upstream(Refusal):
    """Another server that we asked failed, or its answer cannot be believed."""


class Unavailable(Refusal):
    """Something we need is away; try again after `retry_after` seconds."""

    retry_after = 5


class TooMany(Refusal):
    """Too many requests; try again after `retry_after` seconds."""

    def __init__(self, sentence: str, retry_after: int) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after
