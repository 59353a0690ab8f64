"""Keeps the rollups: a thread that folds what has become history, beside the writer whose values it follows."""

import logging
import threading

from flask import Flask

from webmacs.core import outage
from webmacs.core.db import db
from webmacs.features.datapoints import rollups

EVERY = 10.0  # seconds
BREATH = 0.05  # seconds between two steps when much is to be done: others want to write, too

log = logging.getLogger(__name__)


class Keeper(threading.Thread):
    """Folds every ten seconds, without a pause worth mentioning while more is to be done."""

    def __init__(self, app: Flask) -> None:
        super().__init__(name="keeper", daemon=True)
        self._app = app
        self._end = threading.Event()

    def stop(self) -> None:
        """End after the step at work."""
        self._end.set()
        if self.is_alive():
            self.join()

    def run(self) -> None:
        """Fold until stopped."""
        with self._app.app_context():
            wait = EVERY
            while not self._end.wait(wait):
                wait = BREATH if self._fold() else EVERY

    def _fold(self) -> bool:
        try:
            return rollups.fold(db.engine)
        except (*outage.AWAY, OSError) as error:
            log.warning("rollups were not folded, long windows are read from the points meanwhile: %s", error)
        except Exception:  # the thread must go on: without it every long window gets slower
            log.exception("rollups were not folded")
        return False
