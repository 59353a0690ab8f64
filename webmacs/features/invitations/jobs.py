"""What an invitation's mail says, and tidying up."""

from webmacs.core.db import transaction
from webmacs.features.invitations import operations
from webmacs.gateways.mail import Letter
from webmacs.web import letters

PATH = "/invitation"


def letter(public_id: str) -> Letter | None:
    """The mail with a new code; None when the invitation is over."""
    written = operations.write_code(public_id)
    if written is None:
        return None
    invitation, code = written
    return letters.letter(
        invitation.email,
        "invitation",
        link=letters.link(PATH, code),
        code=code,
        organization=invitation.organization.name,
        inviter=invitation.inviter.username if invitation.inviter else None,
        role=invitation.role,
        expires_on=invitation.expires_on,
    )


def tidy() -> None:
    """Delete invitations that ended long ago."""
    with transaction():
        operations.forget_old()
