"""The routes of API tokens, pages and JSON alike, hang on this blueprint."""

from flask import Blueprint

bp = Blueprint("tokens", __name__)
