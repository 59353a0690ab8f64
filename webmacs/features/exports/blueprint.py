"""The routes of exports, pages and JSON alike, hang on this blueprint."""

from flask import Blueprint

bp = Blueprint("exports", __name__)
