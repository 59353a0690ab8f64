"""The routes of dashboards hang on this blueprint."""

from flask import Blueprint

bp = Blueprint("dashboards", __name__)
