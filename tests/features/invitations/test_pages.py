"""Invitations: made by administrators, accepted once, by a new person or by somebody who has an account."""

import threading
from datetime import timedelta

import pytest
import time_machine

from tests.make import PASSWORD, Api
from webmacs.core import clock
from webmacs.core.identity import Role
from webmacs.features.invitations import operations

NEW, HERE, ME = "grace@lab.example", "/api/v1/invitations", "/api/v1/auth/me"
GRACE = {"username": "grace", "password": "long enough"}
OVER = "This invitation is not valid (any more)."


def _link(page):
    return page.soup.select_one("[data-copy]")["data-copy"]


def _code_of(letter):
    return letter.get_body(("plain",)).get_content().partition("/invitation#")[2].split()[0]


def _open(browser, code):
    """Give the code and look at the page behind it."""
    answer = browser.visit("/invitation").form("/invitation").submit(code=code)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/invitation")
    return browser.visit("/invitation")


def test_without_a_mail_server_the_administrator_gets_a_link_once(ada, browser_as, client_as):
    browser = browser_as(ada)
    answer = browser.visit("/invitations/new").form("/invitations").submit(email=NEW, role="operator")
    address, _, code = _link(browser.check(answer, "/invitations")).partition("#")
    assert address == "http://localhost/invitation"
    assert code not in browser.visit("/users").html
    assert NEW in browser.visit("/users").text
    page = _open(browser_as(None), code.lower())
    assert "Join Laboratory" in page.text
    assert f"ada invites {NEW} as operator." in page.text
    newcomer = page.browser
    assert page.form("/invitation/join").submit(**GRACE).headers["Location"] == "/"
    me = newcomer.send("GET", ME).json
    assert (me["username"], me["email"], me["role"]) == ("grace", NEW, "operator")
    assert NEW not in client_as(ada).get(HERE).get_data(as_text=True)


def test_with_a_mail_server_the_link_goes_by_mail(lab, ada, post, browser_as):
    browser = browser_as(ada)
    answer = browser.visit("/invitations/new").form("/invitations").submit(email=NEW, role="viewer")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/users")
    lab.send_mails()
    (letter,) = post.letters
    assert (letter["To"], letter["Subject"]) == (NEW, "Invitation to Laboratory")
    text = letter.get_body(("plain",)).get_content()
    assert "https://lab.example/invitation#" in text
    assert "ada invites you" in text
    assert _code_of(letter) in letter.get_body(("html",)).get_content()
    assert _open(browser_as(None), _code_of(letter)).form("/invitation/join").submit(**GRACE).status_code == 303
    log = browser.visit("/logs").text
    assert f"User 'ada' invited {NEW} as viewer." in log
    assert "User 'grace' joined as viewer." in log


def test_who_has_an_account_signs_in_and_joins_with_it(lab, ada, eve, browser_as):
    _, code = lab.invitation(ada, eve.email, Role.VIEWER)
    browser = browser_as(None)
    page = _open(browser, code)
    assert "You have an account already" in page.text
    assert not [form for form in page.forms() if form.action.endswith("/join")]
    signing_in = browser.visit("/login?next=/invitation").form("/login").submit(email=eve.email, password=PASSWORD)
    assert signing_in.headers["Location"] == "/invitation"
    page = browser.visit("/invitation")
    assert "signed in as eve" in page.text
    assert page.form("/invitation/accept").submit().headers["Location"] == "/"
    assert browser.send("GET", ME).json["role"] == "viewer"
    assert browser.visit("/").soup.select_one(".workplace__name").text == "Laboratory"
    assert "Accept an invitation" in browser.visit("/invitation").text


def test_an_account_is_not_made_for_an_address_that_has_one(lab, ada, eve, browser_as):
    _, code = lab.invitation(ada, eve.email)
    browser = browser_as(None)
    token = _open(browser, code).soup.select_one("meta[name=csrf-token]")["content"]
    refused = browser.send("POST", "/invitation/join", data={"csrf_token": token, **GRACE})
    assert "sign in, then accept the invitation" in browser.check(refused, "/invitation/join", 422).text


def test_a_member_does_not_join_twice(lab, ada, vera, browser_as):
    _, code = lab.invitation(ada, NEW, Role.ADMIN)
    page = _open(browser_as(vera), code)
    assert page.form("/invitation/accept").submit().status_code == 409
    assert browser_as(vera).send("GET", ME).json["role"] == "viewer"
    assert _open(browser_as(None), code).form("/invitation/join")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"password": "short"}, "at least 8"),
        ({"username": "ADA"}, "this username is taken"),
        ({"username": ""}, "Please fill in this field."),
        ({"password": "password1"}, "are tried"),
    ],
)
def test_what_does_not_fit_is_said_and_the_invitation_stays(lab, ada, browser_as, client_as, fields, words):
    _, code = lab.invitation(ada, NEW)
    page = _open(browser_as(None), code)
    refused = page.browser.check(page.form("/invitation/join").submit(**GRACE | fields), "/invitation/join", 422)
    assert words in refused.text
    assert client_as(ada).get(HERE).json["total"] == 1
    assert refused.form("/invitation/join").submit(**GRACE).status_code == 303


@pytest.mark.parametrize("code", ["AAAA-BBBB", "x" * 100, "' OR 1=1 --", "é"])
def test_a_wrong_code_opens_nothing(lab, ada, browser_as, code):
    lab.invitation(ada, NEW)
    browser = browser_as(None)
    refused = browser.visit("/invitation").form("/invitation").submit(code=code)
    assert OVER in browser.check(refused, "/invitation", 422).text
    assert browser.client.get_cookie("webmacs-invitation", path="/invitation") is None


def test_an_invitation_works_once(lab, ada, browser_as):
    _, code = lab.invitation(ada, NEW)
    first, second = _open(browser_as(None), code), _open(browser_as(None), code)
    assert first.form("/invitation/join").submit(**GRACE).status_code == 303
    late = second.form("/invitation/join").submit(username="other", password="long enough")
    assert OVER in second.browser.check(late, "/invitation/join", 422).text


def test_an_invitation_ends_after_seven_days(lab, ada, browser_as, client_as):
    _, code = lab.invitation(ada, NEW)
    with time_machine.travel(clock.now() + timedelta(days=7, seconds=1)):
        browser = browser_as(None)
        refused = browser.visit("/invitation").form("/invitation").submit(code=code)
        assert OVER in browser.check(refused, "/invitation", 422).text
    with time_machine.travel(clock.now() + timedelta(days=6, hours=23)):
        assert _open(browser_as(None), code).form("/invitation/join").submit(**GRACE).status_code == 303


def test_a_revoked_invitation_opens_nothing(lab, ada, browser_as):
    made, code = lab.invitation(ada, NEW)
    form = browser_as(ada).visit("/users").form(f"/invitations/{made.public_id}/revoke")
    assert form.submit().headers["Location"] == "/users"
    assert browser_as(None).visit("/invitation").form("/invitation").submit(code=code).status_code == 422
    assert browser_as(ada).post(f"/invitations/{made.public_id}/revoke").status_code == 404


def test_a_new_invitation_of_the_same_address_ends_the_earlier_one(lab, ada, browser_as, client_as):
    _, earlier = lab.invitation(ada, NEW)
    _, newer = lab.invitation(ada, NEW, Role.OPERATOR)
    assert browser_as(None).visit("/invitation").form("/invitation").submit(code=earlier).status_code == 422
    assert [i["role"] for i in client_as(ada).get(HERE).json["data"]] == ["operator"]
    assert _open(browser_as(None), newer).form("/invitation/join")


def test_of_several_who_accept_at_once_one_gets_in(app, lab, ada, browser_as, client_as):
    _, code = lab.invitation(ada, NEW)
    pages = [_open(browser_as(None), code) for _ in range(4)]
    statuses = []

    def join(number):
        form = pages[number].form("/invitation/join")
        statuses.append(form.submit(username=f"grace{number}", password="long enough").status_code)

    threads = [threading.Thread(target=join, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [303, 422, 422, 422]
    assert client_as(ada).get("/api/v1/users").json["total"] == 2


def test_the_code_is_kept_from_scripts_and_only_where_it_is_needed(lab, ada, browser_as):
    _, code = lab.invitation(ada, NEW)
    answer = browser_as(None).visit("/invitation").form("/invitation").submit(code=code)
    cookie = next(v for n, v in answer.headers if n == "Set-Cookie" and v.startswith("webmacs-invitation"))
    for part in ("HttpOnly", "SameSite=Lax", "Path=/invitation", "Max-Age=3600"):
        assert part in cookie
    assert code not in answer.headers["Location"]


# --- the administrator's side -----------------------------------------------------------------------------------------


def test_a_member_is_not_invited(ada, vera, browser_as, client_as):
    browser = browser_as(ada)
    refused = browser.visit("/invitations/new").form("/invitations").submit(email=vera.email, role="admin")
    assert "is a member already" in browser.check(refused, "/invitations", 422).text
    assert client_as(ada).post(HERE, {"email": vera.email}).status_code == 409


@pytest.mark.parametrize("body", [{}, {"email": "nobody"}, {"email": NEW, "role": "owner"}, {"email": None}])
def test_an_invitation_that_does_not_fit_is_refused(ada, client_as, body):
    assert client_as(ada).post(HERE, body).status_code == 422


def test_invitations_by_json(app, lab, ada, client_as):
    made = client_as(ada).post(HERE, {"email": "Grace@Lab.example", "role": "operator"})
    assert (made.status_code, made.json["email"], made.json["role"]) == (201, NEW, "operator")
    assert made.json["link"].startswith("http://localhost/invitation#")
    listed = client_as(ada).get(HERE).json
    assert (listed["total"], listed["data"][0]["public_id"]) == (1, made.json["public_id"])
    assert "link" not in listed["data"][0]
    assert client_as(ada).delete(f"{HERE}/{made.json['public_id']}").status_code == 200
    assert client_as(ada).get(HERE).json["total"] == 0


def test_with_a_mail_server_json_shows_no_link(lab, ada, post, client_as):
    assert client_as(ada).post(HERE, {"email": NEW}).json["link"] is None
    lab.send_mails()
    assert len(post.letters) == 1


def test_another_organizations_administrator_sees_and_ends_nothing(lab, ada, eve, client_as):
    made, _ = lab.invitation(ada, NEW)
    assert client_as(eve).get(HERE).json["total"] == 0
    assert client_as(eve).delete(f"{HERE}/{made.public_id}").status_code == 404


def test_an_api_token_accepts_no_invitation(lab, ada, eve, app):
    _, code = lab.invitation(ada, NEW)
    client = Api(app, lab.token(eve)[1])
    answer = client.send("POST", "/invitation/accept", headers={"Cookie": f"webmacs-invitation={code}"})
    assert answer.status_code == 409


def test_old_invitations_are_forgotten(lab, ada, client_as):
    lab.invitation(ada, NEW)
    with time_machine.travel(clock.now() + operations.LASTS + operations.KEPT + timedelta(days=1)), lab.arrival():
        operations.forget_old()
    assert client_as(ada).get(HERE).json["total"] == 0
