"""Who gets in: every route, tried by everybody who must not."""

from webmacs.core.permissions import ADMIN, INSTALLATION_ADMIN, OPERATOR, VIEWER, Access, Can

from . import approved
from .world import declared, nothing, one_of_each, routes

UNSAFE = ("POST", "PUT", "PATCH", "DELETE")


def test_the_public_routes_are_the_approved_ones(app):
    public = {route.name for route in routes(app) if route.edge is None or route.edge.can is Access.PUBLIC}
    assert public == approved.PUBLIC


def test_what_everybody_may_change_is_approved(app):
    open_to_all = {
        route.name
        for route in declared(app)
        if route.is_unsafe and (route.edge.can is Access.SIGNED_IN or route.edge.can in VIEWER)
    }
    assert open_to_all == approved.OWN_ACCOUNT | approved.OWN_FILES | approved.QUESTIONS


def test_what_the_agent_does_is_allowed_to_operators(app):
    known = {route.name: route.edge.can for route in declared(app)}
    assert {name: known.get(name) in OPERATOR for name in approved.AGENT} == dict.fromkeys(approved.AGENT, True)


def test_every_permission_is_granted_to_somebody_and_used_by_some_route(app):
    used = {route.edge.can for route in declared(app)} - set(Access)
    assert used == set(Can) == INSTALLATION_ADMIN


def test_anonymous_is_sent_to_the_login_or_refused(app, client_as, browser_as):
    named, wrong = nothing(), []
    client, browser = client_as(None), browser_as(None)
    for route in declared(app):
        if route.name in approved.PUBLIC:
            continue
        path = route.path(named)
        if route.edge.kind == "api":
            answer = client.send(route.method, path)
            fine = answer.status_code == 401 and answer.headers.get("WWW-Authenticate") == "Bearer"
            fine = fine and answer.json == {"detail": "Authentication required."}
        else:
            answer = browser.send(route.method, path)
            fine = answer.status_code == 303 and answer.headers["Location"].startswith("/login")
        if not fine:
            wrong.append((route.name, answer.status_code, answer.headers.get("Location")))
    assert wrong == []


def test_htmx_is_told_to_load_the_login_page(app, browser_as):
    named, wrong, browser = nothing(), [], browser_as(None)
    for route in declared(app):
        if route.edge.kind == "page" and route.name not in approved.PUBLIC:
            answer = browser.send(route.method, route.path(named), htmx=True)
            if answer.status_code != 401 or not answer.headers.get("HX-Redirect", "").startswith("/login"):
                wrong.append((route.name, answer.status_code))
    assert wrong == []


def test_public_routes_answer_nobody(app, client_as):
    client = client_as(None)
    statuses = {name: client.get(name.removeprefix("GET ")).status_code for name in _readable_public(app)}
    steps = approved.STEPS | approved.UNDER_WAY
    assert {status for name, status in statuses.items() if name not in steps} <= {200}, statuses


def _readable_public(app):
    return [r.name for r in declared(app) if r.name in approved.PUBLIC and not r.is_unsafe]


def test_a_route_that_changes_something_refuses_get(app, lab, ada, browser_as, client_as):
    named, wrong, known = one_of_each(lab, ada), [], app.url_map.bind("")
    for route in declared(app):
        if route.is_unsafe and not known.test(route.path(named), "GET"):
            sender = client_as(ada) if route.edge.kind == "api" else browser_as(ada)
            answer = sender.send("GET", route.path(named))
            if (
                answer.status_code != 405
                or "GET" in answer.headers["Allow"]
                or route.method not in answer.headers["Allow"]
            ):
                wrong.append((route.name, answer.status_code, answer.headers.get("Allow")))
    assert wrong == []


def test_undeclared_methods_are_refused(app, lab, ada, client_as, browser_as):
    named, wrong, known = one_of_each(lab, ada), [], app.url_map.bind("")
    for route in declared(app):
        path = route.path(named)
        sender = client_as(ada) if route.edge.kind == "api" else browser_as(ada)
        for method in UNSAFE:
            if not known.test(path, method):
                answer = sender.send(method, path)
                if answer.status_code != 405 or method in answer.headers.get("Allow", method):
                    wrong.append((method, route.rule, answer.status_code))
    assert wrong == []


def test_a_cookie_without_the_csrf_token_changes_nothing(app, lab, ada, browser_as, fingerprint):
    named, wrong = one_of_each(lab, ada), []
    browser = browser_as(ada)
    before = fingerprint()
    for route in declared(app):
        if route.is_unsafe:
            for headers in ({}, {"X-CSRFToken": "forged"}):
                answer = browser.send(route.method, route.path(named), headers=headers)
                if answer.status_code != 400:
                    wrong.append((route.name, answer.status_code))
    assert wrong == []
    assert fingerprint() == before


def test_the_csrf_token_of_another_session_does_not_count(lab, ada, oscar, browser_as):
    mine, theirs = browser_as(ada), browser_as(oscar)
    assert mine.send("POST", "/logs/read-all", headers={"X-CSRFToken": theirs.csrf}).status_code == 400
    assert mine.send("POST", "/logs/read-all", headers={"X-CSRFToken": mine.csrf}).status_code == 303


def test_those_without_the_right_are_refused_and_change_nothing(
    app, lab, ada, oscar, vera, client_as, browser_as, fingerprint
):
    named, wrong = one_of_each(lab, ada), []
    before = fingerprint()
    for person, rights in ((vera, VIEWER), (oscar, OPERATOR)):
        client, browser = client_as(person), browser_as(person)
        for route in declared(app):
            if isinstance(route.edge.can, Can) and route.edge.can not in rights:
                for ids in (named, nothing()):  # the right is asked before the thing is looked for
                    path = route.path(ids)
                    answers = [browser.send(route.method, path, csrf=True)]
                    if route.edge.kind == "api":
                        answers.append(client.send(route.method, path))
                    wrong += [(person.username, route.name, a.status_code) for a in answers if a.status_code != 403]
    assert wrong == []
    assert fingerprint() == before


def test_the_rights_of_the_roles_are_the_decided_ones():
    only_admins = ADMIN - OPERATOR
    assert set(VIEWER) == {Can.READ, Can.MANAGE_SELF}
    assert only_admins == {Can.MANAGE_PLUGINS, Can.MANAGE_USERS, Can.READ_AUDIT, Can.MANAGE_RETENTION}
    assert {Can.MANAGE_ORGANIZATIONS} == INSTALLATION_ADMIN - ADMIN


def test_a_page_refuses_an_api_token_that_is_not_valid(app, client_as):
    client = client_as(None)
    client.bearer = "wm_" + "x" * 64
    for route in declared(app):
        if not route.is_unsafe and route.edge.can is not Access.PUBLIC and not route.has_ids:
            answer = client.get(route.rule)
            assert answer.status_code in (401, 303), (route.name, answer.status_code)


def test_a_stale_credential_does_not_close_the_public_doors(app, client_as, ada):
    client = client_as(None)
    client.bearer = "wm_" + "x" * 64
    assert client.get("/health").status_code == 200
    assert client.get("/openapi.json").status_code == 200
    signing_in = client.post("/api/v1/auth/login", {"email": ada.email, "password": "correct horse battery"})
    assert signing_in.status_code == 200
