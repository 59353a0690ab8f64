"""The routes of people, pages and JSON alike, hang on this blueprint."""

from flask import Blueprint

bp = Blueprint("people", __name__)
