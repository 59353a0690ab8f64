"""The routes of the audit trail, pages and JSON alike, hang on this blueprint."""

from flask import Blueprint

bp = Blueprint("audit", __name__)
