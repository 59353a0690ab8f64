"""The pages of resets hang on this blueprint."""

from flask import Blueprint

bp = Blueprint("resets", __name__)
