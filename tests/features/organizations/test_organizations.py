"""Several organizations in one installation: who may enter which, and who may change whose account."""

import pytest

from tests.make import PASSWORD, Api
from webmacs.core.identity import Role

HERE, USERS, ME = "/api/v1/organizations", "/api/v1/users", "/api/v1/auth/me"


def _enter(client, name):
    public_id = next(place["public_id"] for place in client.get(HERE).json if place["name"] == name)
    return client.post(f"{HERE}/{public_id}/enter")


def test_a_member_of_two_goes_from_one_to_the_other(lab, ada, oscar, eve, client_as):
    lab.join(oscar, "Elsewhere", Role.VIEWER)
    mine, theirs = lab.event(ada, name="Ours"), lab.event(eve, name="Theirs")
    client = client_as(oscar)
    assert [(p["name"], p["role"], p["is_current"]) for p in client.get(HERE).json] == [
        ("Elsewhere", "viewer", False),
        ("Laboratory", "operator", True),
    ]
    assert _enter(client, "Elsewhere").status_code == 200
    assert client.get(ME).json["role"] == "viewer"
    assert [e["public_id"] for e in client.get("/api/v1/events").json["data"]] == [theirs.public_id]
    assert client.get(f"/api/v1/events/{mine.public_id}").status_code == 404
    assert client.post("/api/v1/events", {"name": "New", "type": "sensor"}).status_code == 403
    assert _enter(client, "Laboratory").status_code == 200
    assert [e["public_id"] for e in client.get("/api/v1/events").json["data"]] == [mine.public_id]


def test_nobody_enters_where_they_do_not_belong(lab, oscar, eve, client_as):
    assert client_as(oscar).post(f"{HERE}/{lab.organization_id_of(eve)}/enter").status_code == 404


def test_an_installation_administrator_enters_everywhere(lab, ada, eve, client_as):
    lab.chief(ada)
    client = client_as(ada)
    assert _enter(client, "Elsewhere").status_code == 200
    assert client.get(ME).json["role"] == "admin"
    assert [user["username"] for user in client.get(USERS).json["data"]] == ["eve"]


def test_who_makes_an_organization_administers_it(lab, ada, client_as):
    lab.chief(ada)
    client = client_as(ada)
    made = client.post(HERE, {"name": "Pilot plant"})
    assert made.status_code == 201
    assert client.post(HERE, {"name": "pilot PLANT"}).status_code == 409
    assert client.put(f"{HERE}/{made.json['public_id']}", {"name": "Plant 2"}).status_code == 200
    assert client.post(f"{HERE}/{made.json['public_id']}/enter").status_code == 200
    assert client.get(USERS).json["total"] == 1


def test_only_installation_administrators_make_organizations(ada, client_as):
    refused = client_as(ada).post(HERE, {"name": "Mine"})
    assert (refused.status_code, refused.json["detail"]) == (403, "Installation administrator privileges required.")


@pytest.mark.parametrize("change", [{"password": "a new password"}, {"email": "x@lab.example"}, {"is_disabled": True}])
def test_one_organization_does_not_change_an_account_that_others_rely_on(lab, ada, oscar, eve, client_as, change):
    lab.join(oscar, "Elsewhere")
    path = f"{USERS}/{oscar.public_id}"
    for who in (ada, eve):
        assert client_as(who).put(path, change).status_code == 403
    assert client_as(eve).put(path, {"role": "operator"}).status_code == 200
    root = lab.chief(lab.person("root", Role.ADMIN))
    assert client_as(root).put(path, change).status_code == 200


def test_an_organizations_administrator_does_not_take_over_the_installation(lab, ada, client_as):
    bob = lab.person("bob", Role.ADMIN)
    lab.chief(ada)
    path = f"{USERS}/{ada.public_id}"
    assert client_as(bob).put(path, {"password": "a new password"}).status_code == 403
    assert client_as(bob).delete(path).status_code == 403


def test_installation_administrators_are_appointed_by_their_like(lab, ada, oscar, client_as):
    path = f"{USERS}/{oscar.public_id}"
    assert client_as(ada).put(path, {"is_installation_admin": True}).status_code == 403
    root = lab.chief(lab.person("root", Role.ADMIN))
    client = client_as(root)
    last = client.put(f"{USERS}/{root.public_id}", {"is_installation_admin": False})
    assert (last.status_code, "last administrator of the installation" in last.json["detail"]) == (409, True)
    assert client.put(path, {"is_installation_admin": True}).status_code == 200
    assert client_as(oscar).get(ME).status_code == 401
    assert client.put(f"{USERS}/{root.public_id}", {"is_installation_admin": False}).status_code == 200


def test_removing_somebody_leaves_them_their_other_organization(lab, ada, oscar, eve, client_as, app):
    lab.join(oscar, "Elsewhere")
    assert client_as(eve).delete(f"{USERS}/{oscar.public_id}").status_code == 200
    assert client_as(oscar).get(ME).json["role"] == "operator"
    assert client_as(ada).delete(f"{USERS}/{oscar.public_id}").status_code == 200
    answer = Api(app).post("/api/v1/auth/login", {"email": oscar.email, "password": PASSWORD})
    assert answer.status_code == 401


def test_a_login_in_an_organization_ends_with_the_membership(lab, oscar, eve, client_as):
    lab.join(oscar, "Elsewhere")
    client = client_as(oscar)
    _enter(client, "Elsewhere")
    assert client_as(eve).delete(f"{USERS}/{oscar.public_id}").status_code == 200
    assert client.get(ME).status_code == 401


def test_a_disabled_user_is_out_at_once_and_comes_back(lab, ada, oscar, client_as, browser_as, app):
    token = Api(app, lab.token(oscar)[1])
    path = f"{USERS}/{oscar.public_id}"
    assert token.get(ME).status_code == 200
    assert client_as(ada).put(path, {"is_disabled": True}).status_code == 200
    assert client_as(oscar).get(ME).status_code == 401
    assert token.get(ME).status_code == 401
    assert browser_as(oscar).send("GET", "/").status_code == 303
    refused = Api(app).post("/api/v1/auth/login", {"email": oscar.email, "password": PASSWORD})
    assert (refused.status_code, refused.json["detail"]) == (401, "This account is disabled.")
    wrong = Api(app).post("/api/v1/auth/login", {"email": oscar.email, "password": "not this one"})
    assert wrong.json["detail"] == "Invalid email or password."
    assert client_as(ada).put(path, {"is_disabled": False}).status_code == 200
    assert token.get(ME).status_code == 200
    assert client_as(oscar).get(ME).status_code == 401


def test_nobody_disables_themselves_or_the_last_administrator(lab, ada, client_as):
    assert client_as(ada).put(f"{USERS}/{ada.public_id}", {"is_disabled": True}).status_code == 409
    bob = lab.person("bob", Role.ADMIN)
    assert client_as(bob).put(f"{USERS}/{ada.public_id}", {"is_disabled": True}).status_code == 200
    assert client_as(bob).put(f"{USERS}/{bob.public_id}", {"role": "viewer"}).status_code == 409


def test_users_are_found_by_name_address_and_state(lab, ada, oscar, client_as):
    def find(**query):
        return [user["username"] for user in client_as(ada).get(USERS, query_string=query).json["data"]]

    assert find(q="OSC") == ["oscar"]
    assert find(q="%") == []
    assert find(role="admin") == ["ada"]
    assert find(is_disabled="true") == []


def test_a_token_stays_in_its_organization(lab, oscar, eve, client_as, app):
    lab.join(oscar, "Elsewhere")
    api = Api(app, lab.token(oscar)[1])
    assert _enter(api, "Elsewhere").status_code == 409
    _enter(client_as(oscar), "Elsewhere")
    assert api.get(ME).json["role"] == "operator"
