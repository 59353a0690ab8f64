"""What happened in single sign-on."""

from dataclasses import dataclass

from webmacs.core.facts import Fact


@dataclass(frozen=True)
class SignedInElsewhere(Fact):
    """An identity provider told who somebody is."""

    user_id: int
    username: str
    provider_name: str
