"""The routes of datapoints, pages and JSON alike, hang on this blueprint."""

from flask import Blueprint

bp = Blueprint("datapoints", __name__)
