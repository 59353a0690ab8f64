"""The pages of a sign-in that goes on hang on this blueprint."""

from flask import Blueprint

bp = Blueprint("signin", __name__)
