"""The WSGI application, for `flask` and WSGI servers."""

from webmacs.core import migrations
from webmacs.factory import create_app

app = create_app()
migrations.install(app)  # for `flask db …`
