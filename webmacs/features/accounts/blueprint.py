"""The routes of accounts, pages and JSON alike, hang on this blueprint."""

from flask import Blueprint

bp = Blueprint("accounts", __name__)
