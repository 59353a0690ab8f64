"""The routes of control, pages and JSON alike, hang on this blueprint."""

from flask import Blueprint

bp = Blueprint("control", __name__)
