"""What comes in and goes out about organizations."""

from datetime import datetime

from webmacs.core.identity import Role
from webmacs.core.schemas import Name, Schema


class OrganizationIn(Schema):
    """A new organization, or its new name."""

    name: Name


class OrganizationOut(Schema):
    """An organization, and what the asker is there."""

    public_id: str
    name: str
    created_on: datetime
    role: Role
    is_current: bool
