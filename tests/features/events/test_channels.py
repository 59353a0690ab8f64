"""Channels: what may be defined, and what happens to measurements when a definition changes or goes."""

import threading

import pytest

from tests.make import NOON, Api

EVENTS = "/api/v1/events"
INLET = {"name": "Inlet temperature", "type": "sensor", "unit": "°C", "min_value": 0.0, "max_value": 200.0}
TYPES = ["sensor", "actuator", "range", "cmd_button", "cmd_opened", "cmd_closed"]


def test_the_documented_request_makes_the_documented_channel(oscar, client_as):
    client = client_as(oscar)
    made = client.post(EVENTS, INLET)
    assert (made.status_code, made.json["status"], made.json["message"]) == (
        201,
        "success",
        "Event successfully created.",
    )
    shown = client.get(f"{EVENTS}/{made.json['public_id']}").json
    assert shown == {**INLET, "public_id": made.json["public_id"], "user_public_id": oscar.public_id}
    assert made.json["public_id"].startswith("evt_")


@pytest.mark.parametrize("kind", TYPES)
def test_every_documented_type_is_taken(oscar, client_as, kind):
    assert client_as(oscar).post(EVENTS, {**INLET, "type": kind}).status_code == 201


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "   "),
        ("name", "x" * 256),
        ("name", "a\x00b"),
        ("name", None),
        ("name", 5),
        ("type", "valve"),
        ("type", None),
        ("unit", ""),
        ("unit", "x" * 256),
        ("min_value", "low"),
        ("min_value", None),
        ("max_value", []),
        ("max_value", "NaN"),
        ("max_value", "Infinity"),
    ],
)
def test_what_does_not_fit_is_refused_on_create_and_on_update(lab, oscar, client_as, field, value):
    client, event = client_as(oscar), lab.event(oscar)
    before = client.get(f"{EVENTS}/{event.public_id}").json
    made, changed = (
        client.post(EVENTS, {**INLET, field: value}),
        client.put(f"{EVENTS}/{event.public_id}", {field: value}),
    )
    for answer in (made, changed):
        assert answer.status_code == 422
        assert answer.json["detail"][0]["loc"] == ["body", field]
    assert client.get(f"{EVENTS}/{event.public_id}").json == before
    assert client.get(EVENTS).json["total"] == 1


@pytest.mark.parametrize("missing", INLET)
def test_every_field_is_needed(oscar, client_as, missing):
    body = {name: value for name, value in INLET.items() if name != missing}
    assert client_as(oscar).post(EVENTS, body).json["detail"][0]["type"] == "missing"


def test_numbers_may_come_as_text_and_switches(oscar, client_as):
    public_id = client_as(oscar).post(EVENTS, {**INLET, "min_value": "-7.5", "max_value": True}).json["public_id"]
    shown = client_as(oscar).get(f"{EVENTS}/{public_id}").json
    assert (shown["min_value"], shown["max_value"]) == (-7.5, 1.0)


def test_names_are_kept_as_people_write_them(oscar, client_as):
    public_id = client_as(oscar).post(EVENTS, {**INLET, "name": "  Großer Kessel 温度 🧪 "}).json["public_id"]
    assert client_as(oscar).get(f"{EVENTS}/{public_id}").json["name"] == "Großer Kessel 温度 🧪"


def test_the_lowest_value_is_not_above_the_highest(lab, oscar, client_as):
    client = client_as(oscar)
    assert client.post(EVENTS, {**INLET, "min_value": 201}).status_code == 422
    assert client.post(EVENTS, {**INLET, "min_value": 200}).status_code == 201
    event = lab.event(oscar, min_value=0, max_value=100)
    assert client.put(f"{EVENTS}/{event.public_id}", {"min_value": 101}).status_code == 422
    assert client.put(f"{EVENTS}/{event.public_id}", {"max_value": -1}).status_code == 422
    assert client.put(f"{EVENTS}/{event.public_id}", {"min_value": 101, "max_value": 102}).status_code == 200


def test_a_name_is_taken_once(lab, oscar, client_as):
    lab.event(oscar, name="Inlet temperature")
    other = lab.event(oscar)
    refused = client_as(oscar).post(EVENTS, INLET)
    assert (refused.status_code, refused.json) == (409, {"detail": "Event already exists."})
    path = f"{EVENTS}/{other.public_id}"
    assert client_as(oscar).put(path, {"name": "Inlet temperature"}).status_code == 409
    assert client_as(oscar).put(path, {"name": other.name}).status_code == 200


def test_of_many_who_take_a_name_at_the_same_moment_one_gets_it(app, oscar, client_as):
    barrier, statuses = threading.Barrier(5), []

    def create():
        client = Api(app, oscar.bearer)
        barrier.wait()
        statuses.append(client.post(EVENTS, INLET).status_code)

    threads = [threading.Thread(target=create) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201, 409, 409, 409, 409]
    assert client_as(oscar).get(EVENTS).json["total"] == 1


def test_only_what_is_sent_changes(lab, oscar, client_as):
    event = lab.event(oscar, name="A", unit="°C", min_value=0, max_value=10)
    client, path = client_as(oscar), f"{EVENTS}/{event.public_id}"
    assert client.put(path, {"unit": "K"}).json["message"] == "Event successfully updated."
    assert client.put(path, {}).status_code == 200
    assert client.put(path, {"unknown": 1}).status_code == 200
    shown = client.get(path).json
    assert (shown["name"], shown["unit"], shown["max_value"]) == ("A", "K", 10)


def test_a_change_leaves_what_was_recorded(lab, oscar, client_as):
    event = lab.event(oscar, max_value=100)
    lab.record(oscar, event, 50, 99, at=NOON)
    client_as(oscar).put(f"{EVENTS}/{event.public_id}", {"max_value": 60, "unit": "K", "type": "range"})
    assert [p["value"] for p in client_as(oscar).get("/api/v1/datapoints").json["data"]] == [99, 50]


def test_values_outside_the_limits_are_recorded_all_the_same(lab, oscar, client_as):
    event = lab.event(oscar, min_value=0, max_value=1)
    point = {"event_public_id": event.public_id, "value": 1000}
    assert client_as(oscar).post("/api/v1/datapoints", point).status_code == 201


def test_deleting_a_channel_unlinks_its_plugin_channel_and_keeps_the_experiments(lab, ada, client_as):
    event, instance = lab.event(ada), lab.instance(ada)
    lab.mapping(ada, instance, event)
    run = lab.experiment(ada, started=NOON)
    lab.record(ada, event, 1.0, at=NOON)
    client = client_as(ada)
    assert client.delete(f"{EVENTS}/{event.public_id}").json["message"] == "Event successfully deleted."
    assert client.get(f"/api/v1/plugins/{instance.public_id}/channels").json[0]["event_public_id"] is None
    assert client.get(f"/api/v1/experiments/{run.public_id}").status_code == 200
    assert client.get("/api/v1/datapoints").json["total"] == 0
    assert client.get("/api/v1/datapoints/latest").json == []


def test_the_list_is_in_the_order_of_creation_also_after_changes(lab, oscar, client_as):
    events = [lab.event(oscar, name=name) for name in ("zinc", "argon", "iron")]
    client_as(oscar).put(f"{EVENTS}/{events[0].public_id}", {"unit": "mol"})
    assert [e["name"] for e in client_as(oscar).get(EVENTS).json["data"]] == ["zinc", "argon", "iron"]
    second = client_as(oscar).get(EVENTS, query_string={"page": 2, "page_size": 2}).json
    assert ([e["name"] for e in second["data"]], second["total"]) == (["iron"], 3)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"type": "range"}, ["100% valve"]),
        ({"q": "TEMP"}, ["Inlet temperature", "temp_2"]),
        ({"q": "%"}, ["100% valve"]),
        ({"q": "_"}, ["temp_2"]),
        ({"q": "nothing"}, []),
        ({"q": "temp", "type": "range"}, []),
    ],
)
def test_the_list_can_be_filtered(lab, oscar, client_as, query, names):
    lab.event(oscar, name="Inlet temperature")
    lab.event(oscar, name="temp_2")
    lab.event(oscar, name="100% valve", type="range")
    assert [e["name"] for e in client_as(oscar).get(EVENTS, query_string=query).json["data"]] == names


def test_an_unknown_type_in_the_filter_is_refused(oscar, client_as):
    assert client_as(oscar).get(EVENTS, query_string={"type": "valve"}).status_code == 422


# --- pages ------------------------------------------------------------------------------------------------------------


def test_the_form_says_the_words_of_the_api(oscar, browser_as):
    browser = browser_as(oscar)
    form = browser.visit("/channels/new").form("/channels")
    page = browser.check(form.submit(name="x", unit="V", min_value="5", max_value="1"), "/channels", 422)
    assert "min_value must not be greater than max_value" in page.text or "must not be" in page.text
    kept = page.form("/channels").values
    assert (kept["name"], kept["unit"], kept["min_value"], kept["max_value"]) == ("x", "V", "5", "1")


@pytest.mark.parametrize("typed", ["abc", "1e999", "nan", "0x10", "--1"])
def test_a_limit_that_is_no_number_is_refused_on_its_field(oscar, browser_as, client_as, typed):
    browser = browser_as(oscar)
    form = browser.visit("/channels/new").form("/channels")
    page = browser.check(form.submit(name="x", unit="V", min_value=typed, max_value="1"), "/channels", 422)
    assert page.form("/channels").tag.select_one("[name=min_value]").get("aria-invalid") == "true"
    assert client_as(oscar).get(EVENTS).json["total"] == 0


def test_a_channel_is_deleted_only_when_its_name_was_typed(lab, oscar, browser_as, client_as):
    event = lab.event(oscar, name="Inlet")
    browser, path = browser_as(oscar), f"/channels/{event.public_id}/delete"
    for typed in ("", "inlet", "Outlet"):
        browser.check(browser.visit(path).form(path).submit(confirmation=typed), path, 422)
    assert client_as(oscar).get(EVENTS).json["total"] == 1
    assert browser.visit(path).form(path).submit(confirmation="Inlet").headers["Location"] == "/channels"
    assert client_as(oscar).get(EVENTS).json["total"] == 0


def test_an_unknown_filter_on_the_page_is_a_readable_refusal(oscar, browser_as):
    browser = browser_as(oscar)
    for path in ("/channels?type=valve", "/channels?page=0", "/channels?page=x", "/channels?page_size=101"):
        browser.visit(path, 422)
    browser.visit("/channels?type=&q=&page=")


def test_a_viewer_sees_channels_and_no_way_to_change_them(lab, oscar, vera, browser_as):
    event = lab.event(oscar)
    for path in ("/channels", f"/channels/{event.public_id}"):
        page = browser_as(vera).visit(path)
        assert event.name in page.text
        assert not {"/channels/new", f"/channels/{event.public_id}/edit"} & page.links()
