"""Every page keeps what every page promises, for everybody who may see it, full and empty."""

from urllib.parse import urlsplit

import pytest
from werkzeug.exceptions import HTTPException

from tests.page import fragment_problems
from webmacs.core.permissions import Access, allows

from . import approved
from .world import declared, one_of_each

DATA = {"application/json"}  # what a page fetches for itself


def _pages(app):
    """The routes that answer with a page when somebody is signed in."""
    away = {"/login", "/claim", "/sso-callback"}  # these send on whoever is signed in
    pages = [r for r in declared(app) if r.edge.kind == "page" and not r.is_unsafe and r.rule not in away]
    return [r for r in pages if r.name not in approved.UNDER_WAY]


def _may(person, route):
    return route.edge.can in set(Access) or allows(person.actor, route.edge.can)


def _visit_all(app, browser, person, named):
    """The pages that somebody may see, all of them checked; without `named` only those about no single thing."""
    seen, broken = [], []
    for route in _pages(app):
        if _may(person, route) and (named or not route.has_ids):
            answer = browser.send("GET", route.path(named))
            try:
                seen += [] if answer.mimetype in DATA else [browser.check(answer, route.path(named))]
            except AssertionError as promise:
                broken.append(str(promise))
    assert not broken, "\n".join(broken)
    return seen


@pytest.mark.parametrize("who", ["ada", "oscar", "vera"])
def test_every_page_keeps_its_promises(app, lab, ada, oscar, vera, browser_as, who):
    person = {"ada": ada, "oscar": oscar, "vera": vera}[who]
    named = one_of_each(lab, ada)
    named |= {
        "login": person.session,
        "token": lab.token(person)[0].public_id,
        "identity": lab.identity(person).public_id,
    }
    pages = _visit_all(app, browser_as(person), person, named)
    assert [problem for page in pages for problem in _dead_ends(app, page, person)] == []


def _dead_ends(app, page, person):
    """Links and forms that nothing serves, or that their reader may not follow."""
    known = app.url_map.bind("localhost")
    forms = {urlsplit(form.action).path for form in page.forms() if form.is_offered}
    for method, path in [("GET", path) for path in page.links()] + [("POST", path) for path in forms]:
        try:
            endpoint, _ = known.match(path, method)
        except HTTPException as refused:  # also a redirect to another spelling
            yield f"{page.url} leads to {method} {path}: {refused}"
            continue
        edge = getattr(app.view_functions[endpoint], "__edge__", None)
        if edge is not None and edge.can not in set(Access) and not allows(person.actor, edge.can):
            yield f"{page.url} offers {person.username} {method} {path}"


def test_every_page_keeps_its_promises_while_there_is_nothing(app, ada, browser_as):
    _visit_all(app, browser_as(ada), ada, None)


def test_every_page_keeps_its_promises_with_long_and_hostile_names(app, lab, ada, browser_as):
    hostile = "<script>alert(1)</script>\"'&" + "W" * 200
    event = lab.event(ada, name=hostile, unit="<b>°C</b>", type="range")
    lab.record(ada, event, 1.0)
    run, instance = lab.experiment(ada, hostile), lab.instance(ada, instance_name=hostile)
    mapping = lab.mapping(ada, instance, event, channel_name=hostile)
    token, _ = lab.token(ada, hostile)
    named = one_of_each(lab, ada) | {
        "event": event.public_id,
        "experiment": run.public_id,
        "instance": instance.public_id,
        "mapping": mapping.public_id,
        "token": token.public_id,
        "log": lab.log(ada, hostile).public_id,
    }
    for page in _visit_all(app, browser_as(ada), ada, named):
        assert "<script>alert" not in page.html, page.url
        assert "<b>°C" not in page.html, page.url


def test_the_doors_keep_their_promises(lab, browser_as):
    assert browser_as(None).visit("/claim").form("/claim")
    assert browser_as(None).send("GET", "/login").headers["Location"] == "/claim"
    lab.person("ada")
    assert browser_as(None).visit("/login").form("/login")
    assert browser_as(None).send("GET", "/claim").headers["Location"] == "/login"


def test_htmx_gets_a_fragment_where_the_page_has_one(app, lab, ada, browser_as):
    named, browser, fragments = one_of_each(lab, ada), browser_as(ada), 0
    for route in _pages(app):
        whole = browser.send("GET", route.path(named))
        part = browser.send("GET", route.path(named), htmx=True)
        if whole.mimetype in DATA:
            continue
        assert "HX-Request" in part.headers.get("Vary", ""), route.name
        assert "HX-Request" in whole.headers.get("Vary", ""), route.name
        html = part.get_data(as_text=True)
        if "<html" in html:
            continue
        fragments += 1
        assert fragment_problems(html) == [], route.name
        root = html[html.index("<") :].partition(">")[0].partition('id="')[2].partition('"')[0]
        assert f'id="{root}"' in whole.get_data(as_text=True), f"{route.name}: the page has no #{root} to swap"
    assert fragments >= 3


@pytest.mark.parametrize("header", ["HX-Boosted", "HX-History-Restore-Request"])
def test_htmx_gets_the_whole_page_where_it_replaces_the_page(app, lab, ada, browser_as, header):
    named, browser = one_of_each(lab, ada), browser_as(ada)
    for route in _pages(app):
        answer = browser.send("GET", route.path(named), htmx=True, headers={header: "true"})
        assert answer.mimetype in DATA or "<html" in answer.get_data(as_text=True), route.name


def test_every_answer_tells_the_browser_to_be_strict(app, lab, ada, browser_as):
    named, browser = one_of_each(lab, ada), browser_as(ada)
    for route in declared(app):
        headers = browser.send(route.method, route.path(named)).headers
        policy = headers["Content-Security-Policy"]
        assert "'unsafe-inline'" not in policy, route.name
        assert "'unsafe-eval'" not in policy, route.name
        assert "frame-ancestors 'none'" in policy, route.name
        assert headers["X-Content-Type-Options"] == "nosniff", route.name
        assert headers["X-Frame-Options"] == "DENY", route.name
        assert headers["Referrer-Policy"] == "same-origin", route.name
        assert headers["Cache-Control"] == "no-store", route.name


def test_every_asset_of_every_page_exists_and_may_be_kept(app, lab, ada, browser_as):
    browser, assets = browser_as(ada), set()
    for page in _visit_all(app, browser, ada, one_of_each(lab, ada)):
        for tag in page.soup.select("script[src], link[rel=stylesheet][href], img[src], use[href]"):
            assets.add(str(tag.get("src") or tag.get("href")).partition("#")[0])
    assert assets
    for address in sorted(assets):
        answer = browser.send("GET", address)
        assert answer.status_code == 200, address
        assert "immutable" in answer.headers["Cache-Control"], address


def test_the_session_cookie_is_kept_from_scripts_and_other_sites(lab, ada, browser_as):
    page = browser_as(None).visit("/login")
    answer = page.form("/login").submit(email=ada.email, password="correct horse battery")
    assert answer.status_code == 303
    cookie = next(value for name, value in answer.headers if name == "Set-Cookie" and value.startswith("webmacs="))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
