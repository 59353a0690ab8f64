"""In the browser: the button, landing, one's linked identities, and signing out, here and at the provider."""

import re
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup
from sqlalchemy import select

from tests.features.sso.conftest import Guest
from tests.make import PASSWORD
from tests.page import Browser
from webmacs.core.db import db
from webmacs.features.accounts.models import User
from webmacs.features.sso.models import Identity, SsoLogin


def identity_of(lab, name):
    with lab.arrival(write=False):
        return db.session.scalar(select(Identity.public_id).join(Identity.user).where(User.username == name))


# --- the button -------------------------------------------------------------------------------------------------------


def test_the_sign_in_offers_every_provider(house, wicked, ada):
    more = [{"key": "guests", "provider_name": "Guests", "issuer_url": wicked.issuer, "client_id": "webmacs"}]
    page = Browser(house(oidc_providers=more)).visit("/login?next=/data")
    links = {link.get_text(strip=True): link["href"] for link in page.soup.select("main a[href*='/sso/']")}
    assert links == {
        "Sign in with Campus": "/api/v1/auth/sso/authorize?next=%2Fdata",
        "Sign in with Guests": "/api/v1/auth/sso/authorize?provider=guests&next=%2Fdata",
    }
    assert page.soup.select_one(".divider").get_text() == "or"


def test_the_sign_in_offers_nothing_when_nothing_is_set_up(app, ada):
    page = Browser(app).visit("/login")
    assert page.soup.select("main a[href*='/sso/'], .divider") == []


# --- landing ----------------------------------------------------------------------------------------------------------


def test_landing_signs_the_browser_in_and_takes_the_code_out_of_the_address(guest):
    somebody = guest()
    answer = somebody.enter(next="/data")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/data")
    assert somebody.client.get_cookie("webmacs-visit") is None
    assert "grace" in somebody.get("/data").text


def test_the_way_on_stays_on_this_site(guest):
    for target in ("https://evil.example/", "//evil.example", "/\\evil.example"):
        assert guest().enter(next=target).headers["Location"] == "/"


def test_the_code_of_another_browser_signs_nobody_in(guest):
    code = guest().code()
    victim = guest()
    assert victim.get("/sso-callback", code=code).status_code == 400
    victim.sign_in()
    answer = victim.get("/sso-callback", code=code)
    assert answer.status_code == 400
    assert "Back to Login" in answer.text
    assert victim.get("/data").status_code == 303


def test_an_address_that_is_visited_again_signs_nobody_in(guest):
    somebody = guest()
    location = somebody.sign_in().headers["Location"]
    kept = somebody.client.get_cookie("webmacs-visit").value
    assert somebody.client.get(location).status_code == 303
    another = guest(somebody.app)
    another.client.set_cookie("webmacs-visit", kept)
    assert another.client.get(location).status_code == 400


@pytest.mark.parametrize("query", [{}, {"code": ""}, {"code": "x"}, {"error": "x"}], ids=str)
def test_landing_without_a_code_shows_the_way_back(guest, query):
    answer = guest().get("/sso-callback", **query)
    assert answer.status_code == 400
    assert "Back to Login" in answer.text


# --- linked identities ------------------------------------------------------------------------------------------------


class Member(Guest):
    """Somebody of the laboratory, signed in by password, with the provider at hand."""

    def __init__(self, app, provider, person):
        super().__init__(app, provider)
        self.browser = Browser(app, person.session)
        self.client = self.browser.client

    def wish_to_link(self, password=PASSWORD):
        """Send the form of the profile; the address that leads on (None: refused)."""
        self.answer = self.browser.post("/profile/sso/link", {"provider": "default", "current_password": password})
        link = BeautifulSoup(self.answer.text, "html.parser").select_one("a[href*=authorize]")
        return link["href"] if link else None

    def link(self):
        """The whole way; the answer of the callback."""
        there = self.client.get(self.wish_to_link()).headers["Location"]
        return self.come_back(self.provider.visit(there))


@pytest.fixture
def member(house, wicked):
    """Somebody of the cast at an application with a provider."""
    return lambda person, app=None, **settings: Member(app or house(**settings), wicked, person)


def test_an_admin_links_by_hand_and_signs_in_that_way_afterwards(member, ada, lab):
    her = member(ada)
    assert her.link().headers["Location"] == "/profile/sso"
    page = her.browser.visit("/profile/sso")
    assert "Campus" in page.text
    assert page.soup.select("form[action='/profile/sso/link']") == []  # one identity of a provider is enough
    me = Guest(her.app, her.provider).me()
    assert (me["username"], me["role"], me["sso_provider"]) == ("ada", "admin", "Campus")


def test_linking_asks_for_the_password(member, ada):
    her = member(ada)
    assert her.wish_to_link("not the password") is None
    assert her.answer.status_code == 422
    assert "not your present password" in her.answer.text


def test_linking_belongs_to_the_session_that_confirmed_it(member, ada, oscar, lab):
    her = member(ada)
    there = her.client.get(her.wish_to_link()).headers["Location"]
    back = her.provider.visit(there)
    visit = her.client.get_cookie("webmacs-visit").value
    his = member(oscar, her.app)
    his.client.set_cookie("webmacs-visit", visit)
    assert his.come_back(back).status_code == 400
    stranger = Guest(her.app, her.provider)
    stranger.client.set_cookie("webmacs-visit", visit)
    assert stranger.come_back(back).status_code == 400
    assert identity_of(lab, "ada") is None
    assert identity_of(lab, "oscar") is None


def test_an_identity_of_somebody_else_cannot_be_linked(member, guest, ada, lab):
    guest().code()
    answer = member(ada).link()
    assert answer.status_code == 409
    assert "another account" in answer.json["detail"]
    assert identity_of(lab, "ada") is None


def test_an_error_at_the_provider_leads_back_to_the_profile(member, ada, wicked):
    her = member(ada)
    there = her.client.get(her.wish_to_link()).headers["Location"]
    wicked.wish(error="access_denied")
    location = her.come_back(wicked.visit(there)).headers["Location"]
    assert location == "/profile/sso?sso_error=denied"
    assert "denied or cancelled" in her.browser.visit(location).text


def test_unlinking_asks_for_the_password_and_ends_what_the_identity_opened(member, oscar, lab, wicked):
    his = member(oscar)
    his.link()
    public_id = identity_of(lab, "oscar")
    elsewhere = Guest(his.app, wicked)
    elsewhere.enter()
    assert elsewhere.get("/data").status_code == 200
    his.browser.visit(f"/profile/sso/{public_id}/unlink")
    path = f"/profile/sso/{public_id}/unlink"
    assert his.browser.post(path, {"current_password": "not the password"}).status_code == 422
    assert his.browser.post(path, {"current_password": PASSWORD}).status_code == 303
    assert identity_of(lab, "oscar") is None
    assert elsewhere.get("/data").status_code == 303
    assert his.browser.visit("/profile/sso")
    assert his.browser.send("GET", "/data").status_code == 200


def test_whoever_has_no_password_keeps_the_only_way_in(guest, lab):
    somebody = guest()
    somebody.enter()
    path = f"/profile/sso/{identity_of(lab, 'grace')}/unlink"
    page = somebody.get(path).text
    assert "only way into your account" in page
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)[1]
    answer = somebody.client.post(path, data={"csrf_token": token, "current_password": "x"})
    assert answer.status_code == 422
    assert identity_of(lab, "grace") is not None


def test_the_identity_of_somebody_else_is_nothing(member, guest, ada, lab):
    guest().code()
    theirs = identity_of(lab, "grace")
    her = member(ada)
    assert her.browser.send("GET", f"/profile/sso/{theirs}/unlink").status_code == 404
    assert her.browser.post(f"/profile/sso/{theirs}/unlink", {"current_password": PASSWORD}).status_code == 404


def test_without_a_provider_the_page_says_so(browser_as, vera):
    assert "not offered" in browser_as(vera).visit("/profile/sso").text


# --- signing out ------------------------------------------------------------------------------------------------------


def sign_out(somebody):
    page = BeautifulSoup(somebody.get("/data").text, "html.parser")
    form = page.select_one("#user-menu form[method=post]")
    token = form.select_one("[name=csrf_token]")["value"]
    return form["action"], somebody.client.post(form["action"], data={"csrf_token": token}, buffered=True)


def test_signing_out_ends_the_session_here_and_offers_it_there(guest, wicked, lab):
    somebody = guest()
    somebody.enter()
    action, answer = sign_out(somebody)
    assert (action, answer.status_code) == ("/sso/logout", 200)
    form = BeautifulSoup(answer.text, "html.parser").select_one("form")
    fields = {field["name"]: field["value"] for field in form.select("input")}
    assert form["action"] == f"{wicked.issuer}/logout"
    assert fields["id_token_hint"].count(".") == 2
    assert fields["post_logout_redirect_uri"] == "http://localhost/login"
    assert fields["client_id"] == "webmacs"
    assert "csrf_token" not in fields  # it is none of the provider's business
    assert "form-action http:" in answer.headers["Content-Security-Policy"]
    assert somebody.get("/data").status_code == 303


def test_the_id_token_is_kept_sealed(guest, lab):
    somebody = guest()
    somebody.enter()
    with lab.arrival(write=False):
        kept = db.session.scalars(select(SsoLogin.id_token)).all()
    assert len(kept) == 1
    assert "eyJhbGciOiJSUzI1NiI" not in kept[0]


@pytest.mark.parametrize(
    "wish",
    [{"metadata": {"end_session_endpoint": None}}, {"status": {"/.well-known/openid-configuration": 500}}],
    ids=str,
)
def test_signing_out_here_needs_nothing_of_the_provider(guest, wicked, wish):
    somebody = guest()
    somebody.enter()
    somebody.app.extensions["webmacs.oidc"].get("default")._documents.clear()
    wicked.wish(**wish)
    _, answer = sign_out(somebody)
    assert (answer.status_code, urlsplit(answer.headers["Location"]).path) == (303, "/login")
    assert somebody.get("/data").status_code == 303


def test_whoever_came_by_password_signs_out_as_ever(member, ada):
    her = member(ada)
    page = her.browser.visit("/data")
    assert page.soup.select_one("#user-menu form[method=post]")["action"] == "/logout"
