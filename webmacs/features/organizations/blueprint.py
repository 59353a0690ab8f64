"""The routes of organizations, pages and JSON alike, hang on this blueprint."""

from flask import Blueprint

bp = Blueprint("organizations", __name__)
