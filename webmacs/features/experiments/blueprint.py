"""The routes of experiments, pages and JSON alike, hang on this blueprint."""

from flask import Blueprint

bp = Blueprint("experiments", __name__)
