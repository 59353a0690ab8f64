"""The routes of invitations, pages and JSON alike, hang on this blueprint."""

from flask import Blueprint

bp = Blueprint("invitations", __name__)
