"""The routes of single sign-on, pages and JSON alike, hang on this blueprint."""

from flask import Blueprint

bp = Blueprint("sso", __name__)
