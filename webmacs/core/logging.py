"""Log lines: JSON for machines, coloured text on a terminal, always with the request's id."""

import logging
import sys
from typing import Any

import structlog


def configure(level: str) -> None:
    """Send everything, ours and the libraries', through one formatter to standard error."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    terminal = sys.stderr.isatty()
    renderer: Any = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    last: list[Any] = [renderer] if terminal else [structlog.processors.format_exc_info, renderer]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for quiet in ("alembic", "rq.worker", "rq.scheduler", "httpx", "httpcore"):
        logging.getLogger(quiet).setLevel(logging.WARNING)
