"""Reads of imports."""

from pathlib import Path

from webmacs.features.imports.models import Import
from webmacs.gateways import files

FOLDER = "imports"


def file_of(found: Import) -> Path:
    """Where the uploaded file is until the import is over."""
    return files.folder(FOLDER) / f"{found.public_id}.{found.format}"
