"""Users: who may be made, changed and deleted, and that somebody always holds the keys."""

import threading

import pytest

from tests.make import PASSWORD, Api
from webmacs.core.identity import Role
from webmacs.features.accounts import queries

USERS, LOGIN, ME = "/api/v1/users", "/api/v1/auth/login", "/api/v1/auth/me"
NEW = {"email": "new@lab.example", "username": "new", "password": "long enough"}


def _as(app, email, password=PASSWORD):
    answer = Api(app).post(LOGIN, {"email": email, "password": password})
    return Api(app, answer.json.get("access_token")), answer.status_code


def test_a_user_comes_works_leaves_and_is_gone(ada, client_as, app):
    made = client_as(ada).post(USERS, {**NEW, "role": "operator"})
    assert (made.status_code, made.json["message"]) == (201, "User successfully created.")
    client, status = _as(app, NEW["email"], NEW["password"])
    assert status == 200
    assert client.get(ME).json["role"] == "operator"
    assert client.post("/api/v1/auth/logout").status_code == 200
    assert client.get(ME).status_code == 401


def test_a_new_user_is_a_viewer_unless_told(ada, client_as):
    public_id = client_as(ada).post(USERS, NEW).json["public_id"]
    user = client_as(ada).get(f"{USERS}/{public_id}").json
    assert set(user) == {
        "public_id",
        "email",
        "username",
        "role",
        "admin",
        "registered_on",
        "created_on",
        "is_disabled",
        "is_installation_admin",
        "last_login_at",
        "sso_provider",
    }
    assert (user["role"], user["admin"], user["email"]) == ("viewer", False, "new@lab.example")


def test_the_first_user_is_listed_first(lab, ada, client_as):
    for name in ("zoe", "bea"):
        lab.person(name)
    assert [user["username"] for user in client_as(ada).get(USERS).json["data"]] == ["ada", "zoe", "bea"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "no address"),
        ("email", "x" * 250 + "@lab.example"),
        ("email", None),
        ("username", "a"),
        ("username", " a "),
        ("username", "x" * 51),
        ("password", "1234567"),
        ("password", "x" * 129),
        ("password", 12345678),
        ("role", "root"),
        ("role", "Admin"),
        ("role", None),
    ],
)
def test_what_does_not_fit_is_refused(ada, client_as, field, value):
    answer = client_as(ada).post(USERS, {**NEW, field: value})
    assert answer.status_code == 422
    assert [item["loc"] for item in answer.json["detail"]] == [["body", field]]


@pytest.mark.parametrize(
    "twin", [{"email": "ada@lab.example"}, {"email": "ADA@LAB.example"}, {"username": "ada"}, {"username": "ADA"}]
)
def test_a_duplicate_is_refused_in_whatever_case(ada, client_as, twin):
    answer = client_as(ada).post(USERS, NEW | twin)
    assert answer.status_code == 409
    assert answer.json["detail"].startswith("User already exists")
    assert client_as(ada).get(USERS).json["total"] == 1


def test_a_change_to_a_duplicate_is_refused_and_changes_nothing(ada, vera, client_as):
    client, path = client_as(ada), f"{USERS}/{vera.public_id}"
    before = client.get(path).json
    assert client.put(path, {"username": "ada", "role": "admin"}).status_code == 409
    assert client.put(path, {"email": "ada@lab.example"}).status_code == 409
    assert client.get(path).json == before
    assert client.put(path, {"username": "VERA", "email": vera.email}).status_code == 200


def test_only_what_is_sent_changes_and_null_leaves_it(ada, vera, client_as, app):
    client, path = client_as(ada), f"{USERS}/{vera.public_id}"
    everything = dict.fromkeys(("email", "username", "password", "role"))
    assert client.put(path, {**everything, "username": "viola"}).json["message"] == "User successfully updated."
    changed = client.get(path).json
    assert (changed["username"], changed["email"], changed["role"]) == ("viola", vera.email, "viewer")
    assert _as(app, vera.email)[1] == 200


def test_a_new_password_ends_the_logins_of_the_user(ada, vera, client_as, browser_as, app):
    client_as(ada).put(f"{USERS}/{vera.public_id}", {"password": "another password"})
    assert client_as(vera).get(ME).json == {"detail": "Token has been revoked."}
    assert browser_as(vera).send("GET", "/profile").status_code == 303
    assert _as(app, vera.email)[1] == 401
    assert _as(app, vera.email, "another password")[1] == 200


def test_a_new_role_ends_the_logins_and_counts_at_once(ada, vera, client_as, app):
    client_as(ada).put(f"{USERS}/{vera.public_id}", {"role": "operator"})
    assert client_as(vera).get(ME).status_code == 401
    client, _ = _as(app, vera.email)
    assert client.post("/api/v1/experiments", {"name": "Run"}).status_code == 201


def test_the_same_role_again_ends_nothing(ada, vera, client_as):
    client_as(ada).put(f"{USERS}/{vera.public_id}", {"role": "viewer"})
    assert client_as(vera).get(ME).status_code == 200


def test_changing_oneself_keeps_the_login_in_use(lab, ada, client_as, browser_as):
    client = client_as(ada)
    assert client.put(f"{USERS}/{ada.public_id}", {"password": "another password"}).status_code == 200
    assert client.get(ME).status_code == 200
    assert browser_as(ada).send("GET", "/profile").status_code == 303


def test_what_a_deleted_user_made_stays(lab, ada, oscar, client_as):
    event, run, entry = lab.event(oscar), lab.experiment(oscar), lab.log(oscar)
    lab.record(oscar, event, 1.0)
    client = client_as(ada)
    assert client.delete(f"{USERS}/{oscar.public_id}").json["message"] == "User successfully deleted."
    for path in (f"events/{event.public_id}", f"experiments/{run.public_id}", f"logging/{entry.public_id}"):
        assert client.get(f"/api/v1/{path}").json["user_public_id"] is None
    assert len(client.get("/api/v1/datapoints/latest").json) == 1


def test_nobody_deletes_themselves(lab, ada, client_as):
    lab.person("bob", Role.ADMIN)
    assert client_as(ada).delete(f"{USERS}/{ada.public_id}").status_code == 409
    assert client_as(ada).get(ME).status_code == 200


def test_the_last_administrator_stays_one(ada, oscar, client_as):
    client, path = client_as(ada), f"{USERS}/{ada.public_id}"
    for role in ("viewer", "operator"):
        refused = client.put(path, {"role": role})
        assert refused.status_code == 409
        assert "last administrator" in refused.json["detail"]
    assert client.get(ME).json["role"] == "admin"
    assert client.put(path, {"role": "admin"}).status_code == 200


def test_an_administrator_of_another_organization_does_not_count(ada, eve, client_as):
    assert client_as(ada).put(f"{USERS}/{ada.public_id}", {"role": "viewer"}).status_code == 409


def test_one_of_two_administrators_may_go(lab, ada, client_as):
    bob = lab.person("bob", Role.ADMIN)
    assert client_as(ada).delete(f"{USERS}/{bob.public_id}").status_code == 200
    assert client_as(ada).put(f"{USERS}/{ada.public_id}", {"role": "viewer"}).status_code == 409


@pytest.mark.parametrize("way", ["demote", "delete"])
def test_two_administrators_cannot_remove_each_other_at_the_same_moment(lab, ada, app, client_as, way):
    for round_ in range(6):
        one, two = (lab.person(f"{name}{round_}", Role.ADMIN, organization=f"Lab {round_}") for name in ("one", "two"))
        start, statuses = threading.Barrier(2), []

        def remove(actor, victim, start=start, statuses=statuses):
            client = Api(app, actor.bearer)
            start.wait()
            path = f"{USERS}/{victim.public_id}"
            answer = client.put(path, {"role": "viewer"}) if way == "demote" else client.delete(path)
            statuses.append(answer.status_code)

        threads = [threading.Thread(target=remove, args=pair) for pair in ((one, two), (two, one))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with lab.arrival(write=False):
            assert queries.count_admins(one.actor.organization_id) == 1
        # the one who was removed first may learn it in three ways: signed out, no longer allowed, nobody left to remove
        assert min(statuses) == 200
        assert max(statuses) in (401, 403, 409)


def test_two_users_of_one_name_cannot_be_made_at_the_same_moment(ada, app):
    start, statuses = threading.Barrier(4), []

    def create():
        client = Api(app, ada.bearer)
        start.wait()
        statuses.append(client.post(USERS, NEW).status_code)

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201, 409, 409, 409]


def test_users_are_the_administrators_business(oscar, vera, client_as):
    for person in (oscar, vera):
        for answer in (
            client_as(person).get(USERS),
            client_as(person).get(f"{USERS}/{person.public_id}"),
            client_as(person).post(USERS, NEW),
            client_as(person).put(f"{USERS}/{person.public_id}", {"username": "me"}),
        ):
            assert (answer.status_code, answer.json) == (403, {"detail": "Admin privileges required."})
