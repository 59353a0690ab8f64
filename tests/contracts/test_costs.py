"""A list of twenty costs no more questions to the database than a list of one."""

from tests.make import NOON, statements
from webmacs.core.permissions import Access
from webmacs.features.plugins import queries

from . import approved
from .world import declared, one_of_each

MOST = 15  # statements that one arrival needs, whoever asks for whatever


def _fill(lab, who, numbers):
    for number in numbers:
        one_of_each(lab, who, number)


def _costs(app, client, browser, named):
    """Route → number of statements, for everything that can be read."""
    costs = {}
    for route in declared(app):
        if route.is_unsafe or route.edge.can is Access.PUBLIC or route.name in approved.UNDER_WAY:
            continue
        sender = client if route.edge.kind == "api" else browser
        app.extensions["webmacs.credentials"].forget()  # so that it does not matter how long the ones before took
        with statements() as seen:  # the stream of an export included
            answer = sender.send("GET", route.path(named))
            answer.get_data()
        assert answer.status_code == 200, (route.name, answer.status_code)
        costs[route.name] = len(seen)
    return costs


def test_twenty_of_everything_cost_as_many_statements_as_one(app, lab, ada, client_as, browser_as):
    client, browser = client_as(ada), browser_as(ada)
    named = one_of_each(lab, ada, 1)
    few = _costs(app, client, browser, named)
    _fill(lab, ada, range(2, 21))
    many = _costs(app, client, browser, named)
    assert _dearer(few, many) == {}


def _dearer(few, many):
    return {name: (few[name], many[name]) for name in few if many[name] > approved.DEARER.get(name, few[name])}


def test_twenty_channels_of_one_instance_cost_as_many_statements_as_one(app, lab, ada, client_as, browser_as):
    client, browser = client_as(ada), browser_as(ada)
    named = one_of_each(lab, ada, 1)
    few = _costs(app, client, browser, named)
    with lab.arrival():
        instance = queries.get(ada.actor, named["instance"])
    for _ in range(19):
        lab.mapping(ada, instance, lab.event(ada))
    many = _costs(app, client, browser, named)
    assert _dearer(few, many) == {}


def test_a_page_or_endpoint_needs_few_statements(app, lab, ada, client_as, browser_as):
    _fill(lab, ada, range(1, 4))
    costs = _costs(app, client_as(ada), browser_as(ada), one_of_each(lab, ada, 4))
    assert {name: cost for name, cost in costs.items() if cost > MOST} == {}


def test_the_chart_of_an_experiment_over_many_channels_stays_affordable(lab, ada, browser_as):
    run = lab.experiment(ada, started=NOON)
    for _ in range(40):
        lab.record(ada, lab.event(ada), 1.0, 2.0, at=NOON)
    with statements() as seen:
        answer = browser_as(ada).send("GET", f"/experiments/{run.public_id}/figure.json")
    assert answer.status_code == 200
    assert len(seen) <= approved.DEARER["GET /experiments/<public_id>/figure.json"]
