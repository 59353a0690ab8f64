"""/api/v1/audit."""

import csv
import io
import json

import pytest

from webmacs.core.identity import Role


@pytest.fixture
def five(lab, ada):
    """Five events have been created."""
    for number in range(5):
        lab.event(ada, name=f"Channel {number}")
    return ada


def _names(answer):
    return [entry["object_name"] for entry in answer.json["data"]]


def test_an_entry_tells_who_what_when_and_from_where(five, client_as, trail):
    newest = trail(five)[-1]
    shown = client_as(five).get(f"/api/v1/audit/{newest.public_id}").json
    assert shown["number"] == newest.number
    assert shown["occurred_on"].endswith("Z")
    assert shown["object_name"] == "Channel 4"
    assert shown["new_values"]["name"] == "Channel 4"
    assert shown["hash"] == newest.hash


def test_the_list_goes_on_from_a_cursor(five, client_as):
    client = client_as(five)
    first = client.get("/api/v1/audit", query_string={"kind": "event", "page_size": 3})
    assert _names(first) == ["Channel 4", "Channel 3", "Channel 2"]
    rest = client.get("/api/v1/audit", query_string={"kind": "event", "cursor": first.json["next_cursor"]})
    assert _names(rest) == ["Channel 1", "Channel 0"]
    assert rest.json["next_cursor"] is None
    assert client.get("/api/v1/audit", query_string={"cursor": "aud_nothing"}).status_code == 404


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"who": "nobody"}, []),
        ({"what": "channel 3"}, ["Channel 3"]),
        ({"kind": "event", "outcome": "refused"}, []),
        ({"kind": "event", "start": "2100-01-01T00:00:00Z"}, []),
        ({"kind": "event", "stop": "2000-01-01T00:00:00Z"}, []),
    ],
)
def test_filters_choose(five, client_as, query, found):
    assert _names(client_as(five).get("/api/v1/audit", query_string=query)) == found


def test_a_thing_is_found_by_its_id(lab, five, client_as):
    event = lab.event(five, name="Inlet")
    client = client_as(five)
    client.put(f"/api/v1/events/{event.public_id}", {"name": "Outlet"})
    assert _names(client.get("/api/v1/audit", query_string={"what": event.public_id})) == ["Outlet", "Inlet"]
    assert _names(client.get("/api/v1/audit", query_string={"who": five.public_id, "kind": "event"})) == ["Outlet"]


def test_the_export_holds_all_entries_oldest_first(five, client_as, trail):
    everything = [entry.number for entry in trail(five)]
    answer = client_as(five).get("/api/v1/audit/export", query_string={"format": "ndjson"})
    assert answer.mimetype == "application/x-ndjson"
    documents = [json.loads(line) for line in answer.text.splitlines()]
    mine = [d for d in documents if d["chain"] == five.actor.organization_id]
    assert [document["number"] for document in mine] == everything
    assert mine[-1]["new"]["name"] == "Channel 4"
    answer = client_as(five).get("/api/v1/audit/export")
    assert "attachment" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["object_name"] for row in rows if row["kind"] == "event"] == [f"Channel {n}" for n in range(5)]


def test_the_export_goes_on_over_many_pages(five, client_as, monkeypatch):
    whole = client_as(five).get("/api/v1/audit/export").text
    monkeypatch.setattr("webmacs.features.audit.queries.AT_ONCE", 2)
    assert client_as(five).get("/api/v1/audit/export").text == whole


def test_no_cell_is_a_formula(ada, client_as):
    client_as(None).post("/api/v1/auth/login", {"email": "=cmd|calc@x", "password": "wrong"})
    text = client_as(ada).get("/api/v1/audit/export", query_string={"outcome": "refused"}).text
    assert ",'=cmd|calc@x," in text
    assert ",=cmd" not in text


@pytest.mark.parametrize("path", ["/api/v1/audit", "/api/v1/audit/export"])
def test_only_administrators_read_it(oscar, vera, client_as, path):
    assert [client_as(person).get(path).status_code for person in (oscar, vera)] == [403, 403]


def test_another_organization_reads_nothing_of_it(lab, five, eve, client_as, trail):
    shown = client_as(eve).get("/api/v1/audit", query_string={"kind": "event"})
    assert shown.json["data"] == []
    assert client_as(eve).get(f"/api/v1/audit/{trail(five)[-1].public_id}").status_code == 404
    assert "Channel" not in client_as(eve).get("/api/v1/audit/export").text


def test_nothing_in_it_can_be_written(five, client_as, trail):
    path = f"/api/v1/audit/{trail(five)[-1].public_id}"
    assert [client_as(five).send(method, path, {}).status_code for method in ("PUT", "DELETE", "POST")] == [405] * 3


def test_what_belongs_to_no_organization_is_read_by_who_administers_the_installation(lab, ada, client_as, trail):
    client_as(None).post("/api/v1/auth/login", {"email": "nobody@lab.example", "password": "wrong"})
    refused = trail()[-1]
    colleague = lab.person("otto", Role.ADMIN)
    for person, status in ((ada, 200), (colleague, 404)):
        assert client_as(person).get(f"/api/v1/audit/{refused.public_id}").status_code == status
    query = {"outcome": "refused"}
    assert _names(client_as(ada).get("/api/v1/audit", query_string=query)) == ["nobody@lab.example"]
    assert _names(client_as(colleague).get("/api/v1/audit", query_string=query)) == []
    assert "nobody@lab.example" not in client_as(colleague).get("/api/v1/audit/export").text
