"""The routes of logs, pages and JSON alike, hang on this blueprint."""

from flask import Blueprint

bp = Blueprint("logs", __name__)
