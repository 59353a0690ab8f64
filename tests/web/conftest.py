"""Applications over the same database with other settings."""

from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from flask import Flask

from tests.conftest import Installation, Site
from webmacs.core.db import db
from webmacs.factory import create_app


@pytest.fixture
def application(installation: Installation, site: Site) -> Iterator[Callable[..., Flask]]:
    """Make an application with settings of one's own: `application(rate_limit_per_minute=3)`."""
    made: list[Flask] = []

    def make(**settings: Any) -> Flask:
        made.append(create_app(site.settings(installation.url, **settings)))
        return made[-1]

    yield make
    for app in made:
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


@pytest.fixture
def behind_proxy(application: Callable[..., Flask]) -> Flask:
    """An application that believes the proxies in 10.0.0.0/8."""
    return application(trusted_proxies=(ip_network("10.0.0.0/8"),))
