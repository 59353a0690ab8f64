"""What goes out about the sessions of a user."""

from datetime import datetime

from webmacs.core.schemas import Schema


class SessionOut(Schema):
    """A login that is valid: of a browser, or of an API client."""

    public_id: str
    via: str
    device: str
    created_on: datetime
    last_used_at: datetime
    expires_on: datetime
