"""Alembic by way of Flask-Migrate; loaded only by the commands that migrate, because it weighs eleven megabytes."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask
from flask_migrate import Migrate
from flask_migrate import downgrade as _downgrade
from flask_migrate import upgrade as _upgrade

from webmacs.core.db import db

PARTITION = re.compile(r"datapoints_y\d{4}(m\d\d)?")


def include_name(name: str | None, kind: str, _parents: Mapping[str, Any]) -> bool:
    """Whether Alembic compares what it found in the database with the models: partitions come and go by themselves."""
    return not (kind == "table" and name is not None and PARTITION.fullmatch(name))


def install(app: Flask) -> None:
    """Point Flask-Migrate at our migrations."""
    Migrate(app, db, directory=str(Path(app.root_path) / "migrations"), render_as_batch=True)


def upgrade(app: Flask, revision: str = "head") -> None:
    """Bring the database to a revision."""
    install(app)
    with app.app_context():
        _upgrade(revision=revision)


def downgrade(app: Flask, revision: str) -> None:
    """Take the database back to a revision."""
    install(app)
    with app.app_context():
        _downgrade(revision=revision)
