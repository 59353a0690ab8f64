"""Another organization's things do not exist: same status, same words, same headers as for an id that names nothing."""

import time_machine

from webmacs.core import clock
from webmacs.core.permissions import Access, Can, allows

from .bodies import body_for
from .world import declared, nothing, one_of_each


def _answer(sender, route, named, **others):
    response = sender.send(route.method, route.path(named), **others)
    text = response.get_data(as_text=True)
    for kind, public_id in named.items():
        text = text.replace(public_id, f"<{kind}>")
    headers = {n: v for n, v in response.headers if n not in ("X-Request-ID", "Set-Cookie", "Content-Length")}
    return response.status_code, text.replace(response.headers["X-Request-ID"], "<request>"), headers


def _refusal(who, route):
    """What somebody is told of a thing that is not there: the right is asked before the thing is looked for."""
    is_allowed = not isinstance(route.edge.can, Can) or allows(who.actor, route.edge.can)
    return 404 if is_allowed else 403


def test_foreign_ids_in_json_answer_like_ids_of_nothing(app, lab, ada, eve, client_as, fingerprint):
    foreign, own, wrong = one_of_each(lab, ada), one_of_each(lab, eve, 2), []
    before, client = fingerprint(), client_as(eve)
    for route in declared(app):
        if route.has_ids and route.edge.kind == "api":
            body = None if route.edge.body is None else body_for(route.edge.body, own)
            theirs, none = (_answer(client, route, named, body=body) for named in (foreign, nothing()))
            if theirs != none or theirs[0] != _refusal(eve, route):
                wrong.append((route.name, theirs[:2], none[:2]))
    assert wrong == []
    assert fingerprint() == before


def test_foreign_ids_in_pages_answer_like_ids_of_nothing(app, lab, ada, eve, browser_as, fingerprint):
    foreign, wrong = one_of_each(lab, ada), []
    before, browser = fingerprint(), browser_as(eve)
    filled = {"name": "Taken over", "value": "1", "instance_name": "Taken over", "channel_id": "a", "channel_name": "b"}
    for route in declared(app):
        if route.has_ids and route.edge.kind == "page":
            for form in ({}, filled) if route.is_unsafe else ({},):
                with time_machine.travel(clock.now(), tick=False):  # pages and CSRF tokens carry the time
                    theirs, none = (_answer(browser, route, n, data=form, csrf=True) for n in (foreign, nothing()))
                if theirs != none or theirs[0] != _refusal(eve, route):
                    wrong.append((route.name, theirs[0], none[0]))
    assert wrong == []
    assert fingerprint() == before


def test_lists_show_nothing_of_another_organization(app, lab, ada, eve, client_as, browser_as):
    foreign = one_of_each(lab, ada)
    client, browser, wrong = client_as(eve), browser_as(eve), []
    for route in declared(app):
        if not route.has_ids and not route.is_unsafe and route.edge.can is not Access.PUBLIC:
            for sender in (client, browser) if route.edge.kind == "api" else (browser,):
                text = sender.send("GET", route.rule).get_data(as_text=True)
                wrong += [(route.name, kind) for kind, public_id in foreign.items() if public_id in text]
                wrong += [
                    (route.name, name) for name in ("Furnace 1", "Sintering 1", "Rig 1", "Entry 1") if name in text
                ]
    assert wrong == []


def test_references_to_foreign_things_in_a_body_are_unknown(lab, ada, eve, client_as):
    foreign, mine = lab.event(ada), lab.instance(eve)
    client = client_as(eve)
    single = client.post("/api/v1/datapoints", {"event_public_id": foreign.public_id, "value": 1})
    assert (single.status_code, single.json) == (404, {"detail": "Event not found."})
    batch = client.post(
        "/api/v1/datapoints/batch", {"datapoints": [{"event_public_id": foreign.public_id, "value": 1}]}
    )
    assert batch.json["accepted"] == 0
    assert batch.json["rejected"] == [{"index": 0, "reason": "unknown event"}]
    series = client.post("/api/v1/datapoints/series", {"event_public_ids": [foreign.public_id]})
    assert series.json == {foreign.public_id: []}
    wish = {"event_public_ids": [foreign.public_id], "bucket": 60}
    assert client.post("/api/v1/datapoints/aggregate", wish).json == {foreign.public_id: []}
    scoped = client.post("/api/v1/experiments", {"name": "Mine", "event_public_ids": [foreign.public_id]})
    assert scoped.status_code == 404
    link = {"channel_id": "a", "channel_name": "a", "direction": "input", "unit": "V"}
    linked = client.post(f"/api/v1/plugins/{mine.public_id}/channels", {**link, "event_public_id": foreign.public_id})
    assert (linked.status_code, linked.json) == (404, {"detail": "Event not found."})
    mapping = lab.mapping(eve, mine)
    relinked = client.put(
        f"/api/v1/plugins/{mine.public_id}/channels/{mapping.public_id}", {"event_public_id": foreign.public_id}
    )
    assert relinked.status_code == 404


def test_filters_by_foreign_things_find_nothing(lab, ada, eve, client_as):
    event, run = lab.event(ada), lab.experiment(ada)
    lab.record(ada, event, 1.0)
    client = client_as(eve)
    for query in ({"event_public_id": event.public_id}, {"experiment_public_id": run.public_id}):
        assert client.get("/api/v1/datapoints", query_string=query).status_code == 404


def test_both_organizations_may_use_the_same_names(lab, ada, eve, client_as):
    sample = {"name": "Inlet", "type": "sensor", "unit": "°C", "min_value": 0, "max_value": 1}
    for client in (client_as(ada), client_as(eve)):
        assert client.post("/api/v1/events", sample).status_code == 201
        assert client.post("/api/v1/experiments", {"name": "Run 07"}).status_code == 201
        assert client.post("/api/v1/plugins", {"plugin_id": "none", "instance_name": "Rig"}).status_code == 201


def test_an_experiment_of_one_organization_takes_no_data_of_another(lab, ada, eve, client_as):
    lab.experiment(ada)
    event = lab.event(eve)
    lab.record(eve, event, 1.0)
    assert client_as(eve).get("/api/v1/datapoints/latest").json[0]["experiment_public_id"] is None
