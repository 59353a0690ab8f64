"""The routes of events, pages and JSON alike, hang on this blueprint."""

from flask import Blueprint

bp = Blueprint("events", __name__)
