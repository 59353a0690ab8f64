"""The routes of plugins, pages and JSON alike, hang on this blueprint."""

from flask import Blueprint

bp = Blueprint("plugins", __name__)
