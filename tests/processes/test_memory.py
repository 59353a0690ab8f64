"""Answers given again from memory: never an old one after a change, never one to somebody else."""

from tests.processes.rig import MAIL, Running

EVENTS = "/api/v1/events"


def names(running: Running, mail: str = MAIL) -> list[str]:
    return [event["name"] for event in running.call("GET", f"{EVENTS}?page_size=100&q=Kept", mail=mail)["data"]]


def test_every_change_of_a_channel_shows_at_once(webmacs: Running) -> None:
    for turn in range(20):
        names(webmacs)
        event = webmacs.new_event(f"Kept {turn}")
        assert names(webmacs) == [f"Kept {turn}"]
        webmacs.call("PUT", f"{EVENTS}/{event}", {"name": f"Kept {turn} again"})
        assert names(webmacs) == [f"Kept {turn} again"]
        webmacs.call("DELETE", f"{EVENTS}/{event}")
        assert names(webmacs) == []


def test_an_answer_is_not_given_to_another_organization_or_to_nobody(
    webmacs: Running, elsewhere: tuple[str, str]
) -> None:
    webmacs.new_event("Kept of ours")
    assert names(webmacs) == names(webmacs) == ["Kept of ours"]
    assert names(webmacs, elsewhere[1]) == []
    path = f"{EVENTS}?page_size=100&q=Kept"
    assert webmacs.send("GET", path).status == 401
    assert webmacs.send("GET", path, token="wm_nonsense").status == 401


def test_each_answer_has_an_id_of_its_own(webmacs: Running) -> None:
    answers = [webmacs.send("GET", "/health") for _ in range(5)]
    assert len({answer.headers["X-Request-ID"] for answer in answers}) == 5
    assert {tuple(sorted(set(answer.headers) - {"Date"})) for answer in answers} == {
        tuple(sorted(set(answers[0].headers) - {"Date"}))
    }


def test_the_health_knows_a_value_as_soon_as_it_was_taken(webmacs: Running) -> None:
    event = webmacs.new_event("Health and memory")
    for turn in range(5):
        webmacs.send("GET", "/health")
        moment = f"2027-01-01T00:00:0{turn}Z"
        webmacs.call("POST", "/api/v1/datapoints", {"event_public_id": event, "value": 1, "timestamp": moment})
        assert webmacs.send("GET", "/health").json["last_datapoint"] == moment
    webmacs.call("DELETE", f"{EVENTS}/{event}")
