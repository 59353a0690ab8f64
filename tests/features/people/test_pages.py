"""The pages of users and roles, as a browser without JavaScript uses them."""

import pytest

from tests.make import PASSWORD, Api
from webmacs.core.identity import Role
from webmacs.core.permissions import SCOPE_OF, Can

USERS, ME = "/api/v1/users", "/api/v1/auth/me"


def _can_sign_in(app, email, password=PASSWORD):
    return Api(app).post("/api/v1/auth/login", {"email": email, "password": password}).status_code == 200


# --- users ------------------------------------------------------------------------------------------------------------


def test_the_list_is_searched_and_filtered(lab, ada, oscar, vera, browser_as, client_as):
    client_as(ada).put(f"{USERS}/{vera.public_id}", {"is_disabled": True})
    browser = browser_as(ada)

    def names(query=""):
        return [link.text for link in browser.visit(f"/users{query}").soup.select("#users-table .row-link")]

    assert names() == ["ada", "oscar", "vera"]
    assert names("?q=OSC&role=&is_disabled=") == ["oscar"]
    assert names("?role=admin") == ["ada"]
    assert names("?is_disabled=true") == ["vera"]
    assert names("?is_disabled=false") == ["ada", "oscar"]
    assert names("?page_size=2&page=2") == ["vera"]
    assert names("?q=nobody") == []
    assert "No user matches" in browser.visit("/users?q=nobody").text
    assert browser.visit("/users?is_disabled=true").soup.select_one("option[value=true]").has_attr("selected")


def test_state_and_last_sign_in_are_said_in_words(app, ada, oscar, vera, browser_as, client_as):
    client_as(ada).put(f"{USERS}/{vera.public_id}", {"is_disabled": True})
    assert _can_sign_in(app, oscar.email)
    rows = {row.a.text: row for row in browser_as(ada).visit("/users").soup.select("#users-table tbody tr")}
    assert "Disabled" in rows["vera"].text
    assert "Never" in rows["vera"].text
    assert "Active" in rows["oscar"].text
    assert rows["oscar"].time is not None


def test_a_user_made_on_the_page_can_sign_in(app, ada, browser_as):
    form = browser_as(ada).visit("/users/new").form("/users")
    made = form.submit(email="New@lab.example", username="new", password="long enough", role="operator")
    assert made.status_code == 303
    assert _can_sign_in(app, "new@lab.example", "long enough")
    assert "Operator" in browser_as(ada).visit(made.headers["Location"]).text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"password": "short"}, "at least 8"),
        ({"email": "nobody"}, "e-mail address"),
        ({"email": "ada@lab.example"}, "User already exists."),
        ({"username": "ADA"}, "this username is taken"),
        ({"role": "owner"}, "admin"),
    ],
)
def test_a_user_that_does_not_fit_is_refused_and_nothing_is_made(ada, browser_as, client_as, fields, words):
    browser = browser_as(ada)
    given = {"email": "new@lab.example", "username": "new", "password": "long enough", "role": "viewer"}
    page = browser.check(browser.visit("/users/new").form("/users").submit(**given | fields), "/users", 422)
    assert words in page.text
    assert page.soup.select_one(f"[name={next(iter(fields))}]").get("aria-invalid") == "true"
    assert "long enough" not in page.html
    assert client_as(ada).get(USERS).json["total"] == 1


def test_the_ordinary_administrator_is_not_offered_the_installation(lab, ada, oscar, browser_as, client_as):
    path = f"/users/{oscar.public_id}"
    form = browser_as(ada).visit(f"{path}/edit").form(path)
    assert not form.has("is_installation_admin")
    token = form.values["csrf_token"]
    sent = {"csrf_token": token, "username": "oscar", "email": oscar.email, "role": "operator"}
    browser_as(ada).post(path, sent | {"is_installation_admin": "y"})
    assert client_as(ada).get(f"{USERS}/{oscar.public_id}").json["is_installation_admin"] is False
    root = lab.chief(lab.person("root", Role.ADMIN))
    assert browser_as(root).visit(f"{path}/edit").form(path).submit(is_installation_admin="y").status_code == 303
    assert client_as(ada).get(f"{USERS}/{oscar.public_id}").json["is_installation_admin"] is True


def test_disabling_is_asked_and_ends_everything_enabling_brings_back(app, lab, ada, oscar, browser_as, client_as):
    browser, path = browser_as(ada), f"/users/{oscar.public_id}"
    page = browser.visit(path)
    assert "signed out everywhere" in page.soup.select_one("#disable-text").text
    assert page.form(f"{path}/disable").submit().headers["Location"] == path
    assert browser_as(oscar).send("GET", "/").status_code == 303
    assert not _can_sign_in(app, oscar.email)
    assert "Disabled" in browser.visit(path).text
    logged = client_as(ada).get("/api/v1/logging").json["data"]
    assert [entry["content"] for entry in logged] == ["User 'oscar' was disabled."]
    assert browser.visit(path).form(f"{path}/enable").submit().status_code == 303
    assert _can_sign_in(app, oscar.email)


def test_nobody_is_offered_to_disable_or_remove_themselves(ada, browser_as):
    page = browser_as(ada).visit(f"/users/{ada.public_id}")
    assert "This is you" in page.text
    assert not [form for form in page.forms() if form.action.endswith("/disable")]
    assert f"/users/{ada.public_id}/delete" not in page.links()
    refused = browser_as(ada).visit(f"/users/{ada.public_id}/delete").form(f"/users/{ada.public_id}/delete").submit()
    page = browser_as(ada).check(refused, "/users", 422)
    assert "You cannot delete your own account." in page.text


def test_removing_says_what_happens(app, lab, ada, oscar, vera, browser_as, client_as):
    lab.join(oscar, "Elsewhere")
    browser = browser_as(ada)
    assert "the account is deleted" in browser.visit(f"/users/{vera.public_id}/delete").text
    page = browser.visit(f"/users/{oscar.public_id}/delete")
    assert "belongs to 1 other organization." in page.text
    assert page.form(f"/users/{oscar.public_id}/delete").submit().headers["Location"] == "/users"
    browser.visit(f"/users/{oscar.public_id}", 404)
    assert _can_sign_in(app, oscar.email)


def test_an_account_of_several_organizations_is_shown_with_the_reason(lab, ada, oscar, browser_as, client_as):
    lab.join(oscar, "Elsewhere")
    browser, path = browser_as(ada), f"/users/{oscar.public_id}"
    page = browser.visit(path)
    assert "belongs to other organizations too" in page.text
    assert not [form for form in page.forms() if form.action.endswith("/disable")]
    form = browser.visit(f"{path}/edit").form(path)
    assert "email" not in form.values
    assert form.submit(role="viewer").status_code == 303
    assert client_as(ada).get(f"{USERS}/{oscar.public_id}").json["role"] == "viewer"
    refused = browser.post(path, {"email": "mine@lab.example", "role": "viewer"})
    assert refused.status_code == 403


# --- their sessions ---------------------------------------------------------------------------------------------------


def test_one_session_of_a_user_is_ended_and_the_other_stays(ada, oscar, browser_as, client_as):
    page = browser_as(ada).visit(f"/users/{oscar.public_id}")
    action = f"/users/{oscar.public_id}/sessions/{oscar.session}/end"
    assert page.form(action).submit().headers["Location"] == f"/users/{oscar.public_id}"
    assert browser_as(oscar).send("GET", "/").status_code == 303
    assert client_as(oscar).get(ME).status_code == 200


def test_all_sessions_of_a_user_are_ended(ada, oscar, browser_as, client_as):
    page = browser_as(ada).visit(f"/users/{oscar.public_id}")
    assert page.form(f"/users/{oscar.public_id}/sessions/end-all").submit().status_code == 303
    assert browser_as(oscar).send("GET", "/").status_code == 303
    assert client_as(oscar).get(ME).status_code == 401
    assert "Nowhere" in browser_as(ada).visit(f"/users/{oscar.public_id}").text


def test_sessions_are_listed_and_ended_by_json(ada, oscar, client_as):
    client, path = client_as(ada), f"{USERS}/{oscar.public_id}/sessions"
    listed = client.get(path).json
    assert {session["public_id"] for session in listed} == {oscar.session, oscar.actor.session_id}
    assert {session["via"] for session in listed} == {"browser", "jwt"}
    assert client.delete(f"{path}/{oscar.actor.session_id}").status_code == 200
    assert client_as(oscar).get(ME).status_code == 401
    assert client.delete(f"{path}/{oscar.actor.session_id}").status_code == 404
    assert client.delete(path).status_code == 200
    assert client.get(path).json == []


def test_ending_ones_own_sessions_keeps_the_one_in_use(ada, client_as, browser_as):
    client = client_as(ada)
    assert client.delete(f"{USERS}/{ada.public_id}/sessions").status_code == 200
    assert client.get(ME).status_code == 200
    assert browser_as(ada).send("GET", "/").status_code == 303


def test_a_session_belongs_to_its_user(ada, oscar, vera, client_as):
    path = f"{USERS}/{oscar.public_id}/sessions/{vera.session}"
    assert client_as(ada).delete(path).status_code == 404


def test_only_the_sessions_here_are_ours_to_end(lab, ada, oscar, eve, client_as, browser_as):
    lab.join(oscar, "Elsewhere", Role.VIEWER)
    theirs = f"{USERS}/{oscar.public_id}/sessions"
    assert client_as(eve).get(theirs).json == []
    assert client_as(eve).delete(f"{theirs}/{oscar.session}").status_code == 404
    assert client_as(eve).delete(theirs).status_code == 200
    assert client_as(oscar).get(ME).status_code == 200


def test_an_administrator_of_the_installation_is_not_signed_out_by_others(lab, ada, client_as):
    root = lab.chief(lab.person("root", Role.ADMIN))
    path = f"{USERS}/{root.public_id}/sessions"
    assert client_as(ada).delete(path).status_code == 403
    assert client_as(ada).delete(f"{path}/{root.session}").status_code == 403
    assert client_as(root).get(ME).status_code == 200


# --- roles ------------------------------------------------------------------------------------------------------------


def test_the_table_of_roles_says_what_is_granted(vera, browser_as):
    page = browser_as(vera).visit("/roles")
    rows = {row.th.text: row for row in page.soup.select("tbody tr")}
    assert len(rows) == len(Can)
    marks = [cell.svg.get("aria-label") for cell in rows["Manage users"].select("td")[1:]]
    assert marks == ["No", "No", "Yes", "Yes"]
    assert rows["Manage users"].code.text == SCOPE_OF[Can.MANAGE_USERS]
    assert page.soup.select_one("thead th:has(.badge)").text.split() == ["Viewer", "You"]
    assert "/roles" in browser_as(vera).visit("/profile/tokens").links()
