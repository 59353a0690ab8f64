"""The WSGI application, for `flask` and WSGI servers."""

from webmacs.factory import create_app

app = create_app()
