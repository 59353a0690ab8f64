"""The routes of system, pages and JSON alike, hang on this blueprint."""

from flask import Blueprint

bp = Blueprint("system", __name__)
