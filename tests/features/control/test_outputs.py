"""Switches and sliders: the one gate to outputs."""

import pytest

from tests.page import fragment_problems

LATEST = "/api/v1/datapoints/latest"


def _set(browser, event, value, **others):
    return browser.post(f"/control/{event.public_id}", {"value": value, **others.pop("data", {})}, **others)


@pytest.mark.parametrize("kind", ["actuator", "range", "cmd_button", "cmd_opened", "cmd_closed"])
def test_an_output_takes_a_value_which_is_a_datapoint(lab, oscar, browser_as, client_as, kind):
    event = lab.event(oscar, type=kind, min_value=0, max_value=10)
    answer = _set(browser_as(oscar), event, "7.5", data={"next": "/channels"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/channels")
    assert [p["value"] for p in client_as(oscar).get(LATEST).json] == [7.5]


def test_a_decimal_comma_is_understood(lab, oscar, browser_as, client_as):
    event = lab.event(oscar, type="range")
    assert _set(browser_as(oscar), event, " 7,5 ").status_code == 303
    assert client_as(oscar).get(LATEST).json[0]["value"] == 7.5


@pytest.mark.parametrize("value", ["-0.1", "10.1", "1e9", "nan", "inf", "1e999", "abc", "", "1,2,3"])
def test_what_lies_outside_the_limits_or_is_no_number_moves_nothing(lab, oscar, browser_as, client_as, value):
    event = lab.event(oscar, type="range", min_value=0, max_value=10)
    browser = browser_as(oscar)
    browser.check(_set(browser, event, value), "/control", 422)
    part = _set(browser, event, value, htmx=True)
    assert part.status_code == 422
    assert fragment_problems(part.get_data(as_text=True)) == []
    assert client_as(oscar).get(LATEST).json == []


def test_the_limits_themselves_are_allowed(lab, oscar, browser_as, client_as):
    event = lab.event(oscar, type="range", min_value=-5, max_value=5)
    for value in ("-5", "5"):
        assert _set(browser_as(oscar), event, value).status_code == 303
        assert client_as(oscar).get(LATEST).json[0]["value"] == float(value)


def test_a_sensor_cannot_be_set(lab, oscar, browser_as, client_as):
    event = lab.event(oscar, type="sensor")
    browser = browser_as(oscar)
    page = browser.check(_set(browser, event, "1"), "/control", 422)
    assert "is a sensor" in page.text
    assert client_as(oscar).get(LATEST).json == []


def test_an_output_of_a_disabled_instance_moves_nothing(lab, ada, browser_as, client_as):
    event, instance = lab.event(ada, type="actuator"), lab.instance(ada, enabled=False)
    lab.mapping(ada, instance, event, direction="output")
    browser = browser_as(ada)
    browser.check(_set(browser, event, "1"), "/control", 422)
    assert client_as(ada).get(LATEST).json == []


def test_a_viewer_operates_nothing(lab, oscar, vera, browser_as, client_as):
    event = lab.event(oscar, type="actuator")
    assert _set(browser_as(vera), event, "1").status_code == 403
    assert (
        client_as(vera).post("/api/v1/datapoints", {"event_public_id": event.public_id, "value": 1}).status_code == 403
    )
    assert client_as(oscar).get(LATEST).json == []


def test_htmx_gets_the_card_with_the_new_value(lab, oscar, browser_as):
    event = lab.event(oscar, type="range", name="Heater")
    answer = _set(browser_as(oscar), event, "42", htmx=True)
    html = answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert fragment_problems(html) == []
    assert f'id="output-{event.public_id}"' in html
    assert "42" in html


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example", ""])
def test_after_setting_one_stays_on_this_site(lab, oscar, browser_as, target):
    event = lab.event(oscar, type="actuator")
    answer = _set(browser_as(oscar), event, "1", data={"next": target})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


def test_every_output_on_the_overview_works_without_javascript(lab, oscar, browser_as, client_as):
    switch, slider = lab.event(oscar, type="actuator", max_value=1), lab.event(oscar, type="range")
    browser = browser_as(oscar)
    forms = {form.action.rpartition("/")[2]: form for form in browser.visit("/").forms() if "/control/" in form.action}
    assert set(forms) == {switch.public_id, slider.public_id}
    assert forms[slider.public_id].submit(value="55").status_code == 303
    on = forms[switch.public_id]
    button = on.tag.select_one("button[name=value]")
    assert on.submit(**({"value": button["value"]} if button else {})).status_code == 303
    values = {p["event_public_id"]: p["value"] for p in client_as(oscar).get(LATEST).json}
    assert values[slider.public_id] == 55
    assert values[switch.public_id] in (0.0, 1.0)
