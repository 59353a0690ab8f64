"""The pages of retention, as an administrator uses them without JavaScript."""

from datetime import timedelta

from webmacs.core import clock


def test_a_policy_is_set_for_all_channels_and_for_one(lab, ada, browser_as):
    event = lab.event(ada, name="Furnace")
    browser = browser_as(ada)
    assert browser.post("/retention", {"event_public_id": "", "raw_days": "30", "rollup_days": ""}).status_code == 303
    assert (
        browser.post("/retention", {"event_public_id": event.public_id, "raw_days": "", "rollup_days": ""}).status_code
        == 303
    )
    text = browser.visit("/retention").text
    assert "30 days" in text
    assert "Channels with a policy of their own" in text
    browser.post(f"/retention/channels/{event.public_id}/follow")
    assert "Channels with a policy of their own" not in browser.visit("/retention").text


def test_what_makes_no_sense_is_shown_at_the_form(ada, browser_as):
    answer = browser_as(ada).post("/retention", {"event_public_id": "", "raw_days": "30", "rollup_days": "3"})
    assert answer.status_code == 422
    assert "at least as long as the values" in answer.text


def test_the_preview_counts_and_a_run_is_listed(lab, ada, browser_as):
    event = lab.event(ada, name="Furnace")
    lab.record(ada, event, 1.0, 2.0, at=clock.now() - timedelta(days=50))
    browser = browser_as(ada)
    browser.post("/retention", {"event_public_id": "", "raw_days": "30", "rollup_days": ""})
    assert "Furnace" in browser.visit("/retention/preview").text
    assert browser.post("/retention/runs").status_code == 303
    assert "Queued" in browser.visit("/retention").text


def test_an_experiment_is_held_by_operators_and_released_by_administrators(lab, ada, oscar, browser_as):
    run = lab.experiment(oscar, "Sintering")
    path = f"/experiments/{run.public_id}"
    assert browser_as(oscar).post(f"{path}/hold").status_code == 303
    assert "Administrators can release it" in browser_as(oscar).visit(path).text
    assert browser_as(oscar).post(f"{path}/release").status_code == 403
    assert browser_as(ada).post(f"{path}/release").status_code == 303
    assert "Hold measurements" in browser_as(oscar).visit(path).text
