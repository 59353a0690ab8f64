"""Real processes: one WebMACS for all who only talk to it, a fresh one for each who breaks it."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.processes.rig import Running

if TYPE_CHECKING:
    from tests.conftest import Site

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here starts processes."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("processes")


@pytest.fixture(scope="session")
def webmacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A running WebMACS on SQLite that the tests of this process share."""
    running = Running(tmp_path_factory.mktemp("webmacs") / "data")
    try:
        running.start()
        yield running
    finally:
        running.end()


@pytest.fixture(scope="session")
def elsewhere(webmacs: Running) -> tuple[str, str]:
    """A channel of another organization and its administrator's mail address."""
    mail, public_id = webmacs.new_user("eve", "admin")
    with closing(sqlite3.connect(webmacs.folder / "webmacs.db", timeout=10)) as database, database:
        database.execute(
            "INSERT INTO organizations (public_id, name, created_on) VALUES ('org_elsewhere', 'Elsewhere', ?)",
            [datetime.now(UTC).replace(tzinfo=None).isoformat(" ")],
        )
        database.execute(
            "UPDATE memberships SET organization_id = (SELECT id FROM organizations WHERE public_id = 'org_elsewhere')"
            " WHERE user_id = (SELECT id FROM users WHERE public_id = ?)",
            [public_id],
        )
    return webmacs.new_event("Channel elsewhere", mail), mail


@pytest.fixture(autouse=True)
def _still_alive(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test did to the shared server: the same process must still answer."""
    if "webmacs" not in request.fixturenames:
        yield
        return
    running: Running = request.getfixturevalue("webmacs")
    before = running.part("web").pid
    yield
    assert running.serves()
    assert running.part("web").pid == before, running.log


@pytest.fixture
def fresh(tmp_path: Path, site: "Site") -> Iterator[Callable[..., Running]]:
    """Start a WebMACS of one's own: `fresh("postgresql", NAME="value")`. Everything is ended afterwards."""
    runs: list[Running] = []

    def start(database: str = "sqlite", **environment: str) -> Running:
        url = {} if database == "sqlite" else {"DATABASE_URL": site.fresh(database)}
        runs.append(Running(tmp_path / f"data{len(runs)}", **url, **environment))
        runs[-1].start()
        return runs[-1]

    yield start
    for running in runs:
        running.end()
