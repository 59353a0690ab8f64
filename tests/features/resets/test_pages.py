"""A forgotten password: the same answer for everybody, a link for those who may have one, once and for an hour."""

import threading
from datetime import timedelta

import pytest
import time_machine

from tests.make import PASSWORD, Api, statements
from webmacs.core import clock
from webmacs.core.db import db
from webmacs.features.accounts.models import User
from webmacs.features.resets import operations

LOGIN, USERS = "/api/v1/auth/login", "/api/v1/users"
BETTER = "a better one than before"


def _ask(browser, email):
    return browser.visit("/forgot-password").form("/forgot-password").submit(email=email)


def _code_of(letter):
    return letter.get_body(("plain",)).get_content().partition("/reset-password#")[2].split()[0]


def _use(browser, code, password=BETTER):
    return browser.visit("/reset-password").form("/reset-password").submit(code=code, password=password)


def _signs_in(app, email, password):
    return Api(app).post(LOGIN, {"email": email, "password": password}).status_code == 200


def _offered(lab, ada, person):
    with lab.arrival():
        return operations.offer(ada.actor, person.public_id, by_mail=False)


def test_a_link_by_mail_gives_a_new_password_and_ends_all_sessions(app, lab, ada, vera, post, browser_as, client_as):
    browser = browser_as(None)
    assert "/forgot-password" in browser.visit("/login").links()
    assert _ask(browser, "VERA@lab.example").status_code == 200
    lab.send_mails()
    (letter,) = post.letters
    assert letter["To"] == vera.email
    assert "https://lab.example/reset-password#" in letter.get_body(("plain",)).get_content()
    done = _use(browser, _code_of(letter))
    assert (done.status_code, done.headers["Location"]) == (303, "/login")
    assert "Your password was changed." in browser.visit("/login").text
    assert not _signs_in(app, vera.email, PASSWORD)
    assert _signs_in(app, vera.email, BETTER)
    assert client_as(vera).get("/api/v1/auth/me").status_code == 401
    assert browser_as(vera).send("GET", "/").status_code == 303
    lab.send_mails()
    notice = post.letters[1]
    assert (notice["To"], notice["Subject"]) == (vera.email, "Your WebMACS password was changed")
    assert "User 'vera' chose a new password by a one-time link." in browser_as(ada).visit("/logs").text


def test_known_and_unknown_addresses_get_the_same_answer_by_the_same_work(lab, vera, post, browser_as):
    answers, costs = [], []
    for email in (vera.email, "nobody@lab.example"):
        browser = browser_as(None)
        form = browser.visit("/forgot-password").form("/forgot-password")
        with statements() as seen:
            answer = form.submit(email=email)
        answers.append(browser.check(answer, "/forgot-password").text)
        costs.append([statement.split()[0:3] for statement in seen])
    assert answers[0] == answers[1]
    assert costs[0] == costs[1]
    lab.send_mails()
    assert [letter["To"] for letter in post.letters] == [vera.email]


def test_disabled_users_service_accounts_and_those_without_a_password_get_nothing(
    lab, ada, vera, oscar, post, browser_as, client_as
):
    client_as(ada).put(f"{USERS}/{vera.public_id}", {"is_disabled": True})
    with lab.arrival():
        db.session.get_one(User, oscar.actor.user_id).password_hash = None
        service = User(
            public_id="usr_agent",
            email="agent@lab.example",
            username="agent",
            is_service=True,
            registered_on=clock.now(),
        )
        db.session.add(service)
    for email in (vera.email, oscar.email, "agent@lab.example"):
        assert _ask(browser_as(None), email).status_code == 200
    lab.send_mails()
    assert post.letters == []


def test_who_was_disabled_meanwhile_cannot_use_the_link(lab, ada, vera, browser_as, client_as):
    code = _offered(lab, ada, vera)
    client_as(ada).put(f"{USERS}/{vera.public_id}", {"is_disabled": True})
    assert _use(browser_as(None), code).status_code == 422


def test_without_a_mail_server_the_page_says_whom_to_ask(browser_as):
    page = browser_as(None).visit("/forgot-password")
    assert "Ask an administrator" in page.text
    assert page.forms() == []


@pytest.mark.parametrize("email", ["", "nobody", "a b@c"])
def test_what_is_no_address_is_said(post, browser_as, email):
    browser = browser_as(None)
    browser.check(_ask(browser, email), "/forgot-password", 422)


def test_a_mailbox_is_not_flooded(lab, vera, post, browser_as):
    start = clock.now()
    with lab.arrival():
        for _ in range(20):
            operations.ask(vera.email)
    lab.send_mails()
    assert len(post.letters) == operations.MOST_MAILS
    with time_machine.travel(start + timedelta(hours=2)):
        with lab.arrival():
            operations.ask(vera.email)
        lab.send_mails()
    assert len(post.letters) == operations.MOST_MAILS + 1


def test_asking_again_and_again_has_to_wait(vera, post, browser_as):
    browser = browser_as(None)
    statuses = {_ask(browser, vera.email).status_code for _ in range(15)}
    assert 429 in statuses


# --- using the link ---------------------------------------------------------------------------------------------------


def test_a_link_works_once(app, lab, ada, vera, browser_as):
    code = _offered(lab, ada, vera)
    assert _use(browser_as(None), code.lower()).status_code == 303
    browser = browser_as(None)
    assert "not valid (any more)" in browser.check(_use(browser, code, "yet another one"), "/reset-password", 422).text
    assert _signs_in(app, vera.email, BETTER)


def test_a_link_works_for_an_hour(app, lab, ada, vera, browser_as):
    code = _offered(lab, ada, vera)
    with time_machine.travel(clock.now() + timedelta(hours=1, seconds=1)):
        assert _use(browser_as(None), code).status_code == 422
    with time_machine.travel(clock.now() + timedelta(minutes=59)):
        assert _use(browser_as(None), code).status_code == 303


def test_only_the_newest_link_works(lab, ada, vera, browser_as):
    earlier, newer = _offered(lab, ada, vera), _offered(lab, ada, vera)
    assert _use(browser_as(None), earlier).status_code == 422
    assert _use(browser_as(None), newer).status_code == 303


@pytest.mark.parametrize(
    ("password", "words"), [("short", "at least 8"), ("", "Please fill in"), ("password1", "are tried")]
)
def test_a_password_that_does_not_fit_keeps_the_link(lab, ada, vera, browser_as, password, words):
    code, browser = _offered(lab, ada, vera), browser_as(None)
    page = browser.check(_use(browser, code, password), "/reset-password", 422)
    assert words in page.text
    assert page.form("/reset-password").values["code"] == code
    assert _use(browser, code).status_code == 303


@pytest.mark.parametrize("code", ["", "AAAA", "x" * 100, "' OR 1=1 --"])
def test_a_wrong_code_changes_nothing(app, lab, ada, vera, browser_as, code):
    _offered(lab, ada, vera)
    assert _use(browser_as(None), code).status_code == 422
    assert _signs_in(app, vera.email, PASSWORD)


def test_of_several_who_use_a_link_at_once_one_succeeds(lab, ada, vera, browser_as):
    code = _offered(lab, ada, vera)
    forms = [browser_as(None).visit("/reset-password").form("/reset-password") for _ in range(4)]
    statuses = []

    def use(number):
        statuses.append(forms[number].submit(code=code, password=f"password of number {number}").status_code)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [303, 422, 422, 422]


# --- the administrator's link -----------------------------------------------------------------------------------------


def test_an_administrator_makes_a_link_that_is_shown_once(app, ada, vera, browser_as):
    browser, path = browser_as(ada), f"/users/{vera.public_id}"
    page = browser.check(browser.visit(path).form(f"{path}/reset").submit(), f"{path}/reset")
    address, _, code = page.soup.select_one(".card [data-copy]")["data-copy"].partition("#")
    assert address == "http://localhost/reset-password"
    assert _signs_in(app, vera.email, PASSWORD)
    assert _use(browser_as(None), code).status_code == 303
    assert _signs_in(app, vera.email, BETTER)


def test_with_a_mail_server_the_administrators_link_goes_by_mail(lab, ada, vera, post, browser_as, client_as):
    browser, path = browser_as(ada), f"/users/{vera.public_id}"
    assert browser.visit(path).form(f"{path}/reset").submit().headers["Location"] == path
    assert client_as(ada).post(f"/api/v1{path}/password-reset").json["link"] is None
    lab.send_mails()
    assert [letter["To"] for letter in post.letters] == [vera.email] * 2


def test_the_link_by_json(lab, ada, vera, browser_as, client_as):
    made = client_as(ada).post(f"{USERS}/{vera.public_id}/password-reset")
    assert made.status_code == 201
    assert _use(browser_as(None), made.json["link"].partition("#")[2]).status_code == 303


def test_an_account_that_others_rely_on_gets_no_link_from_one_organization(lab, ada, vera, eve, client_as):
    lab.join(vera, "Elsewhere")
    for who in (ada, eve):
        assert client_as(who).post(f"{USERS}/{vera.public_id}/password-reset").status_code == 403
    root = lab.chief(lab.person("root"))
    assert client_as(eve).post(f"{USERS}/{root.public_id}/password-reset").status_code == 404
    assert client_as(ada).post(f"{USERS}/{root.public_id}/password-reset").status_code == 403


def test_a_disabled_user_gets_no_link(ada, vera, client_as):
    client_as(ada).put(f"{USERS}/{vera.public_id}", {"is_disabled": True})
    assert client_as(ada).post(f"{USERS}/{vera.public_id}/password-reset").status_code == 409
