"""The pages of second factors hang on this blueprint."""

from flask import Blueprint

bp = Blueprint("factors", __name__)
