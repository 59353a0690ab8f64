"""What goes out about the installation."""

from datetime import datetime
from typing import Literal

from webmacs.core.schemas import Schema


class HealthOut(Schema):
    """Whether WebMACS works."""

    status: Literal["ok", "degraded"]
    version: str
    database: Literal["ok", "error"]
    last_datapoint: datetime | None
    uptime_seconds: float
