"""What happened to mails."""

from dataclasses import dataclass

from webmacs.core.facts import Fact


@dataclass(frozen=True)
class MailQueued(Fact):
    """A mail waits to be sent."""

    public_id: str
