"""What knowing who asks costs: signing in over HTTP, and the look at each kind of credential inside the application.

Baselines of the same run: the password hash alone, and a request that shows no credential.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import servers
from flask import Flask
from load import Connection

from webmacs.core import migrations
from webmacs.core.db import transaction
from webmacs.core.permissions import Access
from webmacs.factory import create_app
from webmacs.features.accounts import operations as accounts
from webmacs.features.accounts.schemas import LoginIn, UserIn
from webmacs.features.tokens import operations as tokens
from webmacs.features.tokens.schemas import TokenIn
from webmacs.gateways.signing import hash_password, verify_password
from webmacs.settings import Settings
from webmacs.web.arrival import identify, remembered


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logins", type=int, default=100)
    parser.add_argument("--looks", type=int, default=2000)
    options = parser.parse_args()
    sign_in(options.logins)
    with tempfile.TemporaryDirectory(prefix="webmacs-bench-") as folder:
        look(Path(folder), options.looks)


def sign_in(count: int) -> None:
    """POST /auth/login on one connection, beside the hash of the password alone."""
    kept = hash_password(servers.PASSWORD)
    with servers.webmacs() as server:
        body = orjson.dumps({"email": servers.MAIL, "password": servers.PASSWORD})
        message = server.message("POST", "/api/v1/auth/login", body).replace(b"Authorization", b"X-Nothing")
        connection = Connection(server)
        asked = milliseconds(lambda: connection.ask(message), count)
        alone = milliseconds(lambda: verify_password(servers.PASSWORD, kept), count)
    shown("sign in, median", statistics.median(asked), statistics.median(alone), "the hash alone")
    shown("sign in, 95th percentile", statistics.quantiles(asked, n=20)[-1], statistics.median(alone), "the hash alone")


def look(folder: Path, count: int) -> None:
    """`identify()` for each kind of credential, beside a request without one."""
    url = f"sqlite:///{folder / 'bench.db'}"
    app = create_app(Settings(data_dir=folder, database_url=url, secret_key="k" * 64))
    migrations.upgrade(app)
    with app.app_context(), transaction():
        new = UserIn(email=servers.MAIL, username="bench", password=servers.PASSWORD)
        accounts.create_first_admin(new)
        attempt = LoginIn(email=servers.MAIL, password=servers.PASSWORD)
        minutes = app.config["PERMANENT_SESSION_LIFETIME"]
        browser = accounts.sign_in(attempt, "browser", "", minutes)
        jwt = accounts.access_token(accounts.sign_in(attempt, "jwt", "", minutes))
        found = accounts.recognise_jwt(jwt)
        token = tokens.create(found.actor, TokenIn(name="bench"))[1]
    signed = app.session_interface.get_signing_serializer(app).dumps({"_user_id": browser.public_id})  # type: ignore[attr-defined]  # Flask's own is one of signed cookies
    nobody = statistics.median(_looks(app, {}, count))
    for name, headers, forgets in (
        ("browser's session", {"Cookie": f"{app.config['SESSION_COOKIE_NAME']}={signed}"}, False),
        ("JWT, in memory", {"Authorization": f"Bearer {jwt}"}, False),
        ("JWT, asked anew", {"Authorization": f"Bearer {jwt}"}, True),
        ("API token, in memory", {"Authorization": f"Bearer {token}"}, False),
        ("API token, asked anew", {"Authorization": f"Bearer {token}"}, True),
    ):
        taken = statistics.median(_looks(app, headers, count, forgets=forgets))
        shown(name, taken - nobody, nobody, "a request of nobody's")


def _looks(app: Flask, headers: dict[str, str], count: int, *, forgets: bool = False) -> list[float]:
    def once() -> None:
        with app.test_request_context("/", headers=headers):
            if forgets:
                remembered().forget()
            with transaction(write=False):
                actor = identify(Access.PUBLIC)
        if actor.is_anonymous is bool(headers):
            raise RuntimeError("the credential is not taken")

    milliseconds(once, 50)
    return milliseconds(once, count)


def milliseconds(work: Callable[[], object], count: int) -> list[float]:
    """How long each of `count` turns takes."""
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def shown(name: str, value: float, baseline: float, what: str) -> None:
    """A line: the figure, and how it compares."""
    print(f"{name:34}{value:10.3f} ms   {value / baseline:6.2f} of {what} ({baseline:.3f} ms)")


if __name__ == "__main__":
    main()
