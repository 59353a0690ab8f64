"""Signing in with a second factor, as a browser does it, and proving once more who one is."""

from datetime import UTC, datetime

import pyotp
import pytest
import time_machine

from tests.authenticator import SecurityKey
from tests.contracts.world import declared, nothing
from tests.make import PASSWORD
from webmacs.core.identity import Role
from webmacs.core.permissions import Access
from webmacs.features.factors import operations as factors
from webmacs.gateways.passkeys import Site

NOW = datetime(2026, 11, 21, 12, 0, 10, tzinfo=UTC)
SECOND = "/login/second-factor"
MINE = "/profile/second-factor"


@pytest.fixture
def noon():
    """The clock, to be moved by hand."""
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


def _password(browser, who, path="/login"):
    return browser.visit(path).form("/login").submit(email=who.email, password=PASSWORD)


def _cookie(browser):
    return browser.client.get_cookie("webmacs").value


def _contents(client):
    return [entry["content"] for entry in client.get("/api/v1/logging").json["data"]]


def _confirmed(browser):
    form = browser.visit(f"/profile/confirm?next={MINE}").form("/profile/confirm")
    assert form.submit(proof=PASSWORD).headers["Location"] == MINE
    return browser.visit(MINE)


def _options(page):
    return page.soup.select_one("[data-passkey]")["data-passkey-options"]


def _with_passkey(browser, **built):
    key = SecurityKey(**built)
    page = browser.check(_confirmed(browser).form(f"{MINE}/passkeys").submit(name="Blue key"), f"{MINE}/passkeys")
    made = page.form(f"{MINE}/passkeys/finish").submit(credential=key.make(_options(page)))
    assert made.status_code in (200, 303)
    return key


# --- after the password -----------------------------------------------------------------------------------------------


def test_a_code_follows_the_password_and_leads_where_one_wanted_to_go(noon, lab, vera, browser_as):
    app, _ = lab.second_factor(vera)
    browser = browser_as(None)
    answer = _password(browser, vera, "/login?next=/data")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{SECOND}?next=/data")
    waiting = _cookie(browser)
    done = browser.visit(answer.headers["Location"]).form(SECOND).submit(code=app.now())
    assert (done.status_code, done.headers["Location"]) == (303, "/data")
    assert waiting != _cookie(browser)
    browser.visit("/data")


def test_who_has_no_second_factor_is_not_asked(vera, browser_as):
    browser = browser_as(None)
    assert _password(browser, vera).headers["Location"] == "/"


def test_the_password_alone_can_do_nothing(noon, lab, ada, app, browser_as):
    lab.second_factor(ada)
    browser = browser_as(None)
    assert _password(browser, ada).headers["Location"].startswith(SECOND)
    before = ada.actor
    for route in declared(app):
        if route.edge.can is Access.PUBLIC:
            continue
        answer = browser.send(route.method, route.path(nothing()))
        sent_away = answer.status_code == 303 and answer.headers["Location"].startswith("/login")
        assert answer.status_code == 401 or sent_away, (route.name, answer.status_code)
    assert ada.actor == before


def test_what_waits_for_the_code_is_in_no_list_of_logins(noon, lab, ada, browser_as):
    lab.second_factor(ada)
    seen = len(browser_as(ada).visit("/profile").soup.select("#sessions tbody tr"))
    _password(browser_as(None), ada)
    assert len(browser_as(ada).visit("/profile").soup.select("#sessions tbody tr")) == seen


def test_after_five_wrong_codes_the_password_is_asked_for_again(noon, lab, vera, browser_as):
    app, _ = lab.second_factor(vera)
    browser = browser_as(None)
    _password(browser, vera)
    for left in ("4 more times", "3 more times", "2 more times", "once more"):
        assert browser.visit(SECOND).form(SECOND).submit(code="000000").headers["Location"] == f"{SECOND}?next=/"
        assert f"You can try {left}" in browser.visit(SECOND).text
    last = browser.visit(SECOND).form(SECOND)
    assert last.submit(code="000000").status_code == 303
    assert last.submit(code=app.now()).headers["Location"].startswith(SECOND)
    sent = browser.send("GET", SECOND)
    assert sent.headers["Location"].startswith("/login")
    assert "sign in again" in browser.visit("/login").text
    assert browser.send("GET", "/").status_code == 303


def test_the_second_step_is_nobodys_without_the_first(browser_as):
    browser = browser_as(None)
    assert browser.send("GET", SECOND).headers["Location"] == "/login?next=/"


def test_the_cookie_of_the_first_step_is_worth_nothing_once_it_was_used(noon, lab, vera, browser_as):
    app, _ = lab.second_factor(vera)
    browser, thief = browser_as(None), browser_as(None)
    _password(browser, vera)
    thief.client.set_cookie("webmacs", _cookie(browser))
    assert browser.visit(SECOND).form(SECOND).submit(code=app.now()).status_code == 303
    assert thief.send("GET", SECOND).headers["Location"].startswith("/login")


def test_a_recovery_code_opens_once_and_is_written_into_the_log(noon, lab, ada, browser_as, client_as):
    _, codes = lab.second_factor(ada)
    for opens in (True, False):
        browser = browser_as(None)
        _password(browser, ada)
        browser.visit(SECOND).form(SECOND).submit(code=codes[0])
        assert (browser.send("GET", "/").status_code == 200) is opens
    browser = browser_as(None)
    _password(browser, ada)
    browser.visit(SECOND).form(SECOND).submit(code=codes[1])
    browser.visit("/profile")
    assert "8 of 10 are left" in browser.visit(MINE).text
    assert "User 'ada' used a recovery code." in browser.visit("/logs").text


def test_somebody_who_was_disabled_meanwhile_does_not_come_in(noon, lab, ada, vera, browser_as, client_as):
    app, _ = lab.second_factor(vera)
    browser = browser_as(None)
    _password(browser, vera)
    page = browser.visit(SECOND)
    path = f"/api/v1/users/{vera.public_id}"
    assert client_as(ada).put(path, {"is_disabled": True}).status_code == 200
    assert page.form(SECOND).submit(code=app.now()).headers["Location"].startswith(("/login", SECOND))
    assert browser.send("GET", "/").status_code == 303


def test_a_new_password_ends_what_the_old_one_began(noon, lab, ada, vera, browser_as, client_as):
    app, _ = lab.second_factor(vera)
    browser = browser_as(None)
    _password(browser, vera)
    page = browser.visit(SECOND)
    changed = client_as(ada).put(f"/api/v1/users/{vera.public_id}", {"password": "another long password"})
    assert changed.status_code == 200
    assert page.form(SECOND).submit(code=app.now()).headers["Location"] == f"{SECOND}?next=/"
    assert browser.send("GET", SECOND).headers["Location"].startswith("/login?")
    assert browser.send("GET", "/").status_code == 303


# --- passkeys ---------------------------------------------------------------------------------------------------------


def test_a_passkey_follows_the_password(vera, browser_as):
    key = _with_passkey(browser_as(vera))
    browser = browser_as(None)
    _password(browser, vera)
    page = browser.visit(SECOND)
    done = page.form(f"{SECOND}/passkey").submit(credential=key.prove(_options(page)))
    assert done.headers["Location"] == "/"
    assert "vera" in browser.visit("/").text


def test_a_passkey_signs_in_alone_and_leads_where_one_wanted_to_go(vera, browser_as):
    key = _with_passkey(browser_as(vera))
    browser = browser_as(None)
    sent = browser.visit("/login?next=/data").form("/login/passkey").submit()
    page = browser.visit(sent.headers["Location"])
    done = page.form("/login/passkey/finish").submit(credential=key.prove(_options(page)))
    assert done.headers["Location"] == "/data"
    browser.visit("/data")


def test_a_passkey_of_nobody_is_refused_with_words(vera, browser_as):
    _with_passkey(browser_as(vera))
    browser = browser_as(None)
    page = browser.visit(browser.visit("/login").form("/login/passkey").submit().headers["Location"])
    refused = page.form("/login/passkey/finish").submit(credential=SecurityKey().prove(_options(page)))
    assert refused.headers["Location"] == "/login?next=/"
    assert "This passkey was not accepted." in browser.visit("/login").text
    assert browser.send("GET", "/").status_code == 303


def test_passkeys_are_offered_once_somebody_has_one(vera, browser_as):
    assert "Sign in with a passkey" not in browser_as(None).visit("/login").text
    _with_passkey(browser_as(vera))
    assert "Sign in with a passkey" in browser_as(None).visit("/login").text


def test_a_challenge_belongs_to_one_browser(vera, browser_as):
    key = _with_passkey(browser_as(vera))
    mine, other = browser_as(None), browser_as(None)
    pages = [b.visit(b.visit("/login").form("/login/passkey").submit().headers["Location"]) for b in (mine, other)]
    stolen = key.prove(_options(pages[0]))
    pages[1].form("/login/passkey/finish").submit(credential=stolen)
    assert other.send("GET", "/").status_code == 303


# --- one's own factors ------------------------------------------------------------------------------------------------


def test_an_authenticator_app_is_set_up_on_the_profile(noon, lab, vera, browser_as):
    browser = browser_as(vera)
    assert "The password alone opens your account" in browser.visit("/profile").text
    answer = _confirmed(browser).form(f"{MINE}/app").submit()
    page = browser.visit(answer.headers["Location"])
    secret = page.soup.select_one("[data-copy]")["data-copy"].replace(" ", "")
    assert page.soup.select_one("svg.qr path") is not None
    wrong = browser.check(page.form(f"{MINE}/app/confirm").submit(code="000000"), f"{MINE}/app/confirm", 422)
    assert "not the code that the app shows now" in wrong.text
    shown = browser.check(
        wrong.form(f"{MINE}/app/confirm").submit(code=pyotp.TOTP(secret).now()), f"{MINE}/app/confirm"
    )
    codes = [code.text for code in shown.soup.select("#recovery-codes code")]
    assert len(set(codes)) == 10
    html = browser.visit(MINE).html
    assert not any(code in html for code in (*codes, secret))
    assert browser.send("GET", f"{MINE}/app").headers["Location"] == MINE
    assert "Manage second factor" in browser.visit("/profile").text


def test_the_secret_is_shown_to_the_login_that_confirmed_only(noon, vera, browser_as, lab):
    browser = browser_as(vera)
    _confirmed(browser).form(f"{MINE}/app").submit()
    other = browser_as(None)
    _password(other, vera)
    assert other.send("GET", f"{MINE}/app").headers["Location"] == MINE
    assert browser.send("GET", f"{MINE}/app").status_code == 200
    assert browser.send("GET", f"{MINE}/app").headers["Cache-Control"] == "no-store"


def test_nothing_can_be_changed_before_it_was_confirmed_who_it_is(noon, vera, browser_as):
    browser = browser_as(vera)
    page = browser.visit(MINE)
    assert [form for form in page.forms() if "second-factor" in form.action] == []
    assert browser.post(f"{MINE}/app").status_code == 409
    _confirmed(browser)
    noon.shift(601)
    assert browser.post(f"{MINE}/app").status_code == 409


def test_a_wrong_password_confirms_nothing(vera, browser_as):
    browser = browser_as(vera)
    form = browser.visit(f"/profile/confirm?next={MINE}").form("/profile/confirm")
    page = browser.check(form.submit(proof="wrong"), "/profile/confirm", 422)
    assert "This is not your present password." in page.text
    assert browser.post(f"{MINE}/app").status_code == 409


def test_a_confirmation_leads_to_no_other_site(vera, browser_as):
    browser = browser_as(vera)
    form = browser.visit("/profile/confirm?next=https://evil.example/").form("/profile/confirm")
    assert form.submit(proof=PASSWORD).headers["Location"] == "/"


def test_a_new_factor_ends_the_other_logins(vera, browser_as, client_as):
    browser, other = browser_as(vera), browser_as(None)
    _password(other, vera)
    _with_passkey(browser)
    assert other.send("GET", "/").status_code == 303
    assert client_as(vera).get("/api/v1/auth/me").status_code == 401
    browser.visit(MINE)


def test_a_factor_can_be_removed_and_the_password_is_enough_again(noon, lab, vera, browser_as):
    lab.second_factor(vera)
    browser = browser_as(vera)
    assert _confirmed(browser).form(f"{MINE}/app/remove").submit().headers["Location"] == MINE
    assert _password(browser_as(None), vera).headers["Location"] == "/"


def test_a_passkey_can_be_removed(vera, browser_as):
    browser = browser_as(vera)
    _with_passkey(browser)
    page = browser.visit(MINE)
    assert "Blue key" in page.text
    removal = next(form for form in page.forms() if form.action.endswith("/remove"))
    assert removal.submit().headers["Location"] == MINE
    assert "No passkey" in browser.visit(MINE).text


def test_the_browsers_answer_is_checked_and_one_may_begin_again(vera, browser_as):
    browser = browser_as(vera)
    page = browser.check(_confirmed(browser).form(f"{MINE}/passkeys").submit(name="Blue key"), f"{MINE}/passkeys")
    path = f"{MINE}/passkeys/finish"
    again = browser.check(page.form(path).submit(credential="{}"), path, 422)
    assert "Please begin again" in again.text
    assert again.form(f"{MINE}/passkeys").values["name"] == "Blue key"


def test_new_recovery_codes_are_shown_once(noon, lab, vera, browser_as):
    _, codes = lab.second_factor(vera)
    browser = browser_as(vera)
    answer = _confirmed(browser).form(f"{MINE}/codes").submit()
    shown = browser.check(answer, f"{MINE}/codes").text
    assert not any(code in shown for code in codes)


def test_the_passkey_of_another_cannot_be_removed(ada, vera, browser_as):
    mine, other = browser_as(vera), browser_as(ada)
    _with_passkey(mine)
    path = next(form.action for form in mine.visit(MINE).forms() if form.action.endswith("/remove"))
    _confirmed(other)
    assert other.post(path.removeprefix("http://localhost")).status_code == 404
    assert "Blue key" in mine.visit(MINE).text


def test_the_log_says_who_changed_a_factor(ada, browser_as):
    browser = browser_as(ada)
    _with_passkey(browser)
    assert "'ada' added the passkey 'Blue key'." in browser.visit("/logs").text


def test_an_administrators_reset_ends_the_access_and_the_password_is_enough(noon, lab, ada, vera, browser_as):
    lab.second_factor(vera)
    with lab.arrival():
        factors.reset(ada.actor, vera.actor.user_id)
    assert browser_as(vera).send("GET", "/").status_code == 303
    assert _password(browser_as(None), vera).headers["Location"] == "/"


# --- JSON -------------------------------------------------------------------------------------------------------------


def _login(client, who, **more):
    return client.post("/api/v1/auth/login", {"email": who.email, "password": PASSWORD, **more})


def test_a_client_is_told_what_is_missing_and_sends_the_code(noon, lab, vera, client_as):
    app, codes = lab.second_factor(vera)
    client = client_as(None)
    missing = _login(client, vera)
    assert (missing.status_code, missing.json["second_factor"]) == (401, ["totp", "recovery"])
    assert "`code`" in missing.json["detail"]
    wrong = _login(client, vera, code="000000")
    assert (wrong.status_code, wrong.json["second_factor"]) == (401, ["totp", "recovery"])
    assert _login(client, vera, code=app.now()).json["access_token"]
    assert _login(client, vera, code=app.now()).status_code == 401
    assert _login(client, vera, code=codes[3]).status_code == 200
    assert _login(client, vera, code=codes[3]).status_code == 401


def test_a_code_says_nothing_about_a_wrong_password(noon, lab, vera, client_as):
    app, _ = lab.second_factor(vera)
    body = {"email": vera.email, "password": "wrong password", "code": app.now()}
    refused = client_as(None).post("/api/v1/auth/login", body)
    assert refused.json == {"detail": "Invalid email or password."}
    assert _login(client_as(None), vera, code=app.now()).status_code == 200, "and it does not spend the code"


def test_a_code_of_somebody_without_a_second_factor_does_no_harm(vera, client_as):
    assert _login(client_as(None), vera, code="123456").status_code == 200


def test_an_api_token_is_not_asked_and_cannot_change_factors(noon, lab, vera, client_as):
    lab.second_factor(vera)
    _, secret = lab.token(vera)
    bearer = {"Authorization": f"Bearer {secret}"}
    client = client_as(None)
    assert client.get("/api/v1/auth/me", headers=bearer).status_code == 200
    assert client.post(f"{MINE}/app/remove", headers=bearer).status_code == 403
    assert client.send("POST", "/profile/confirm", headers=bearer, data={"proof": PASSWORD}).status_code in (303, 403)
    assert client.post(f"{MINE}/app/remove", headers=bearer).status_code == 403


def test_a_passkey_alone_is_nothing_that_json_could_use(lab, vera, browser_as, client_as):
    _with_passkey(browser_as(vera))
    refused = _login(client_as(None), vera)
    assert refused.json["second_factor"] == ["passkey", "recovery"]


# --- who has no password ----------------------------------------------------------------------------------------------


def test_who_has_no_password_confirms_with_a_fresh_login_or_a_code(noon, lab, vera, browser_as):
    from webmacs.features.accounts import queries

    with lab.arrival():
        queries.me(vera.actor).password_hash = None
    browser = browser_as(vera)
    form = browser.visit("/profile/confirm").form("/profile/confirm")
    assert form.submit().status_code == 303
    _, codes = lab.second_factor(vera)
    noon.shift(3600)
    form = browser.visit("/profile/confirm").form("/profile/confirm")
    assert form.submit(proof="000000").status_code == 422
    assert form.submit(proof=codes[0]).status_code == 303


def test_who_has_no_password_and_signed_in_long_ago_must_do_it_again(noon, lab, vera, browser_as):
    from webmacs.features.accounts import queries

    with lab.arrival():
        queries.me(vera.actor).password_hash = None
    browser = browser_as(vera)
    noon.shift(601)
    page = browser.visit("/profile/confirm").form("/profile/confirm").submit()
    assert "Sign out and in again" in browser.check(page, "/profile/confirm", 422).text


def test_the_address_of_the_settings_counts_for_passkeys(lab, vera, app, browser_as):
    app.config["PUBLIC_URL"] = "https://lab.example"
    try:
        key = _with_passkey(browser_as(vera), origin="https://lab.example")
        browser = browser_as(None)
        _password(browser, vera)
        page = browser.visit(SECOND)
        assert '"rpId": "lab.example"' in _options(page)
        assert page.form(f"{SECOND}/passkey").submit(credential=key.prove(_options(page))).headers["Location"] == "/"
    finally:
        app.config["PUBLIC_URL"] = ""
    assert Site("https://Lab.example:8443").origins[0] == "https://lab.example:8443"
    assert Role.VIEWER is vera.actor.role
