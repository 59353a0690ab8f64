"""How the installation is."""

import time

from webmacs import __version__
from webmacs.core import outage
from webmacs.core.db import db
from webmacs.features.datapoints import queries as datapoints
from webmacs.features.system.schemas import HealthOut

STARTED = time.monotonic()


def health() -> HealthOut:
    """The state of this process and its database; never raises."""
    try:
        last, database = datapoints.last_moment(), True
    except outage.AWAY:
        db.session.rollback()
        last, database = None, False
    return HealthOut(
        status="ok" if database else "degraded",
        version=__version__,
        database="ok" if database else "error",
        last_datapoint=last,
        uptime_seconds=round(time.monotonic() - STARTED, 1),
    )
