"""The blueprint that pages and JSON of retention share."""

from flask import Blueprint

bp = Blueprint("retention", __name__)
