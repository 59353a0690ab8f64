"""The pages of plugin instances: what is asked before something is lost."""

import pytest


@pytest.fixture
def plant(ada, client_as):
    """An instance of the simulated plant, made by JSON."""
    body = {"plugin_id": "simulated", "instance_name": "Bed A", "demo_mode": True}
    made = client_as(ada).post("/api/v1/plugins", body).json
    return client_as(ada).get(f"/api/v1/plugins/{made['public_id']}").json


@pytest.mark.parametrize("purge", [False, True])
def test_deleting_an_instance_keeps_its_channels_unless_that_was_ticked(ada, plant, browser_as, client_as, purge):
    events = client_as(ada).get("/api/v1/events").json["total"]
    path = f"/plugins/{plant['public_id']}/delete"
    form = browser_as(ada).visit(path).form(path)
    assert form.values.get("purge") is None
    assert form.submit(**({"purge": "yes"} if purge else {})).headers["Location"] == "/plugins"
    assert client_as(ada).get("/api/v1/events").json["total"] == (0 if purge else events)


def test_a_channel_is_unlinked_and_linked_again(lab, ada, plant, browser_as, client_as):
    mapping = plant["channel_mappings"][0]
    path = f"/plugins/{plant['public_id']}/channels/{mapping['public_id']}"
    browser = browser_as(ada)
    for wanted in ("", lab.event(ada).public_id):
        form = browser.visit(f"/plugins/{plant['public_id']}").form(path)
        assert form.submit(event_public_id=wanted).status_code == 303
        now = client_as(ada).get(f"/api/v1/plugins/{plant['public_id']}/channels").json[0]
        assert now["event_public_id"] == (wanted or None)


def test_a_channel_added_by_hand_shows_and_a_duplicate_is_refused(ada, plant, browser_as):
    browser, path = browser_as(ada), f"/plugins/{plant['public_id']}"
    fields = {"channel_id": "extra", "channel_name": "Extra probe", "direction": "input", "unit": "mV"}
    assert browser.visit(path).form(f"{path}/channels").submit(**fields).status_code == 303
    assert "Extra probe" in browser.visit(path).text
    again = browser.visit(path).form(f"{path}/channels").submit(**fields)
    assert again.status_code == 422
    assert "already exists" in browser.check(again, path, 422).text


@pytest.mark.parametrize("config", ["{", "[]", '{"poll_interval_ms": -1}'])
def test_a_configuration_that_cannot_work_stays_in_the_form_with_the_reason(ada, plant, browser_as, client_as, config):
    browser, path = browser_as(ada), f"/plugins/{plant['public_id']}"
    form = browser.visit(f"{path}/edit").form(path)
    page = browser.check(form.submit(config_json=config), path, 422)
    assert page.form(path).values["config_json"].strip() == config
    assert client_as(ada).get(f"/api/v1{path}").json["config_json"] == plant["config_json"]


def test_an_emptied_configuration_means_the_drivers_defaults(ada, plant, browser_as, client_as):
    path = f"/plugins/{plant['public_id']}"
    client_as(ada).put(f"/api/v1{path}", {"config_json": {"poll_interval_ms": 500}})
    form = browser_as(ada).visit(f"{path}/edit").form(path)
    assert form.submit(config_json="").status_code == 303
    assert client_as(ada).get(f"/api/v1{path}").json["config_json"] is None


def test_an_untouched_form_changes_nothing(ada, plant, browser_as, client_as):
    path = f"/plugins/{plant['public_id']}"
    before = client_as(ada).get(f"/api/v1{path}").json
    assert browser_as(ada).visit(f"{path}/edit").form(path).submit().status_code == 303
    assert client_as(ada).get(f"/api/v1{path}").json == before


def test_switching_an_instance_off_by_its_box(ada, plant, browser_as, client_as):
    path = f"/plugins/{plant['public_id']}"
    assert browser_as(ada).visit(f"{path}/edit").form(path).submit(enabled=None).status_code == 303
    assert client_as(ada).get(f"/api/v1{path}").json["enabled"] is False


def test_those_who_may_not_configure_see_no_way_to(plant, oscar, vera, browser_as):
    for person in (oscar, vera):
        page = browser_as(person).visit(f"/plugins/{plant['public_id']}")
        assert f"/plugins/{plant['public_id']}/edit" not in page.links()
        assert "Bed A" in page.text
