"""A disk without room, met on the driver's own connection: the ordinary way says it like the fast door."""

import pytest
from sqlalchemy import event

from tests.make import Api, Lab
from webmacs.core.db import db
from webmacs.core.identity import Role
from webmacs.core.outage import FULL
from webmacs.factory import create_app

BATCH = "/api/v1/datapoints/batch"


@pytest.fixture
def narrow(site):
    """An application whose file cannot grow by more than a few pages, and its administrator."""
    app = create_app(site.settings(site.migrated("sqlite")))
    lab = Lab(app)
    ada = lab.person("ada", Role.ADMIN)
    channel = lab.event(ada)

    def limit(connection, _record):
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 4}")

    with app.app_context():
        event.listen(db.engine, "connect", limit)
        db.engine.dispose()
    yield Api(app, ada.bearer), channel.public_id
    with app.app_context():
        db.engine.dispose()


def test_a_full_disk_is_a_503_that_says_so_and_nothing_is_half_written(narrow):
    api, channel = narrow
    items = [{"event_public_id": channel, "value": n, "timestamp": 1_763_640_000 + n} for n in range(500)]
    answers = [api.post(BATCH, {"datapoints": items}, headers={"Idempotency-Key": "first"})]
    while answers[-1].status_code == 201:  # it has a little room
        items = [{**item, "timestamp": item["timestamp"] + 500} for item in items]
        answers.append(api.post(BATCH, {"datapoints": items}, headers={"Idempotency-Key": f"again {len(answers)}"}))
    refused = answers[-1]
    assert (refused.status_code, refused.json, refused.headers["Retry-After"]) == (503, {"detail": FULL}, "5")
    stored = api.get(f"/api/v1/datapoints?event_public_id={channel}").json["total"]
    assert stored == 500 * (len(answers) - 1)
