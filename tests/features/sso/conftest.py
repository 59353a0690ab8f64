"""A wicked provider, a friendly one, and WebMACS as their client."""

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import werkzeug.test
from flask import Flask
from werkzeug.test import TestResponse

from tests.conftest import Installation, Site
from tests.features.sso.provider import CLIENT, SECRET
from tests.make import Api, Person
from webmacs.core.db import db
from webmacs.factory import create_app
from webmacs.gateways.oidc import Client
from webmacs.providers import IdentityProvider

REDIRECT = "http://localhost/api/v1/auth/sso/callback"


class Wicked:
    """The handle of a provider process that does what it is told."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self._http = httpx.Client()

    def wish(self, **wishes: Any) -> None:
        """Behave so from now on, otherwise honestly; what was asked so far is forgotten."""
        self._http.put(f"{self.issuer}/wish", json=wishes).raise_for_status()

    @property
    def asked(self) -> list[str]:
        """The paths that were asked for since the last wish."""
        return list(self._http.get(f"{self.issuer}/asked").json())

    def rotate(self) -> None:
        """Take another key; the old one is gone."""
        self._http.post(f"{self.issuer}/rotate").raise_for_status()

    def sign(self, claims: dict[str, Any], signs: str = "RS256") -> str:
        """A token with these claims."""
        return str(self._http.post(f"{self.issuer}/sign", json={"claims": claims, "signs": signs}).json()["token"])

    def visit(self, url: str) -> dict[str, str]:
        """What a browser does at the provider: sign in, and come back with these parameters."""
        answer = self._http.get(url)
        assert answer.status_code == 302, answer.text
        return dict(httpx.URL(answer.headers["Location"]).params)


@contextlib.contextmanager
def wicked_provider() -> Iterator[Wicked]:
    """Start the process, and stop it by closing its input."""
    command = [sys.executable, str(Path(__file__).parent / "provider.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Wicked(process.stdout.readline().strip())
        finally:
            process.stdin.close()
            process.wait(10)


@pytest.fixture(scope="session")
def _wicked() -> Iterator[Wicked]:
    with wicked_provider() as provider:
        yield provider


@pytest.fixture
def wicked(_wicked: Wicked) -> Wicked:
    """The provider, honest until a test wishes otherwise."""
    _wicked.wish()
    return _wicked


@pytest.fixture
def described(wicked: Wicked) -> Callable[..., IdentityProvider]:
    """The provider as settings describe it."""

    def describe(**others: Any) -> IdentityProvider:
        usual = {"key": "default", "issuer_url": wicked.issuer, "client_id": CLIENT, "client_secret": SECRET}
        return IdentityProvider(**(usual | {"redirect_uri": REDIRECT} | others))

    return describe


@pytest.fixture
def client(described: Callable[..., IdentityProvider]) -> Client:
    """We, as the provider's client."""
    return Client(described(), timeout=2.0)


class Guest:
    """Somebody with a browser of their own who signs in at the provider."""

    def __init__(self, app: Flask, provider: Wicked) -> None:
        self.app = app
        self.provider = provider
        self.client = werkzeug.test.Client(app)

    def get(self, path: str, **query: Any) -> TestResponse:
        """GET, with the cookies."""
        peer = {"REMOTE_ADDR": "192.0.2.7"}
        return self.client.get(path, query_string=query, environ_base=peer, buffered=True)

    def begin(self, **query: Any) -> str:
        """Press the button; where it leads."""
        answer = self.get("/api/v1/auth/sso/authorize", **query)
        assert answer.status_code == 307, answer.text
        return str(answer.headers["Location"])

    def come_back(self, back: dict[str, str], **others: str) -> TestResponse:
        """Return from the provider with what it said."""
        return self.get("/api/v1/auth/sso/callback", **(back | others))

    def sign_in(self, **query: Any) -> TestResponse:
        """The whole way to the answer of the callback."""
        provider = {"provider": query["provider"]} if "provider" in query else {}
        return self.come_back(self.provider.visit(self.begin(**query)) | provider)

    def code(self) -> str:
        """Sign in; the one-time code."""
        answer = self.sign_in()
        assert answer.status_code == 307, answer.text
        return parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]

    def token(self) -> str:
        """Sign in; a JWT."""
        answer = self.client.post("/api/v1/auth/sso/exchange", json={"code": self.code()})
        assert answer.status_code == 200, answer.text
        return str(answer.json["access_token"])

    def me(self) -> dict[str, Any]:
        """Sign in; what the API says about oneself."""
        return dict(Api(self.app, self.token()).get("/api/v1/auth/me").json)

    def enter(self, **query: Any) -> TestResponse:
        """Sign in and land in the browser; the answer that leads on."""
        return self.client.get(self.sign_in(**query).headers["Location"], buffered=True)


@pytest.fixture
def house(installation: Installation, site: Site, wicked: Wicked) -> Iterator[Callable[..., Flask]]:
    """Applications over the database of the test whose provider is the wicked one, each with settings of its own."""
    apps: list[Flask] = []

    def build(**others: Any) -> Flask:
        usual = {"oidc_enabled": True, "oidc_issuer_url": wicked.issuer, "oidc_client_id": CLIENT}
        usual |= {"oidc_client_secret": SECRET, "oidc_provider_name": "Campus", "oidc_redirect_uri": REDIRECT}
        apps.append(create_app(site.settings(installation.url, **(usual | others))))
        return apps[-1]

    yield build
    for app in apps:
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


@pytest.fixture
def guest(house: Callable[..., Flask], wicked: Wicked, ada: Person) -> Callable[..., Guest]:
    """Somebody with a browser, at an application with these settings; ada has taken it over already."""

    def come(app: Flask | None = None, **settings: Any) -> Guest:
        return Guest(app or house(**settings), wicked)

    return come
