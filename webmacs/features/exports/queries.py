"""Reads of exports."""

from pathlib import Path

from webmacs.features.exports.models import Export
from webmacs.gateways import files

FOLDER = "exports"


def file_of(export: Export) -> Path:
    """Where the file of an export is, or will be."""
    return files.folder(FOLDER) / f"{export.public_id}.{export.format}"
