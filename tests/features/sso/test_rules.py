"""Who gets in, as whom and as what: the rules of linking and creating, and the role that a claim says."""

import pytest
from sqlalchemy import select

from tests.features.sso.conftest import Guest
from tests.make import PASSWORD, Api
from webmacs.core.db import db
from webmacs.core.identity import Role
from webmacs.features.accounts.models import Membership, Organization, User
from webmacs.features.logs.models import LogEntry
from webmacs.features.sso import decide
from webmacs.features.sso.models import Identity


def member(lab, name):
    """(role, organization's name) of somebody; None when there is nobody of this name."""
    with lab.arrival(write=False):
        found = db.session.execute(
            select(Membership.role, Organization.name)
            .join(Membership.user)
            .join(Membership.organization)
            .where(User.username == name)
        )
        return found.first()


def appoint(lab, name, role):
    """Give somebody another role, past the operation."""
    with lab.arrival():
        db.session.scalar(select(Membership).join(Membership.user).where(User.username == name)).role = role


def identities(lab):
    with lab.arrival(write=False):
        return [(one.issuer, one.subject, one.user.username) for one in db.session.scalars(select(Identity))]


def person_with(lab, name, email, role=Role.VIEWER, organization="Laboratory"):
    made = lab.person(name, role, organization=organization)
    with lab.arrival():
        db.session.get(User, made.actor.user_id).email = email
    return made


def refused(answer, status, word):
    assert answer.status_code == status, answer.text
    assert word in answer.json["detail"].lower()


# --- known by the identity --------------------------------------------------------------------------------------------


def test_whoever_is_known_is_recognised_whatever_the_address_says_now(guest, wicked, lab):
    somebody = guest()
    first = somebody.me()
    wicked.wish(userinfo={"email": "another@lab.example", "email_verified": False, "preferred_username": "other"})
    again = somebody.me()
    assert again["public_id"] == first["public_id"]
    assert (again["email"], again["username"]) == ("grace@lab.example", "grace")
    assert identities(lab) == [(wicked.issuer, "4711", "grace")]


def test_an_identity_is_the_issuers_not_the_buttons(guest, house, wicked):
    first = guest().me()
    again = guest(house(oidc_provider_name="Renamed")).me()
    assert again["public_id"] == first["public_id"]
    assert again["sso_provider"] == "Renamed"


def test_whoever_is_disabled_is_refused(guest, lab):
    somebody = guest()
    somebody.code()
    with lab.arrival():
        user = db.session.scalar(select(User).where(User.username == "grace"))
        user.disabled_on = user.registered_on
    refused(somebody.sign_in(), 403, "disabled")


# --- known by the address ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_an_account_with_the_verified_address_is_linked_and_keeps_its_role(guest, lab, role):
    known = person_with(lab, "gracie", "grace@lab.example", role)
    me = guest().me()
    assert (me["public_id"], me["role"], me["sso_provider"]) == (known.public_id, role, "Campus")


def test_the_case_of_an_address_does_not_matter(guest, wicked, lab):
    known = person_with(lab, "gracie", "grace@lab.example")
    wicked.wish(userinfo={"email": "Grace@Lab.Example"})
    assert guest().me()["public_id"] == known.public_id


def test_an_address_that_is_not_verified_opens_nobodys_account(guest, wicked, lab):
    person_with(lab, "gracie", "grace@lab.example", Role.ADMIN)
    wicked.wish(userinfo={"email_verified": False})
    refused(guest().sign_in(), 403, "verified")  # said first, also about an admin
    assert identities(lab) == []


def test_a_verified_address_of_the_id_token_does_not_vouch_for_another_one(guest, wicked):
    wicked.wish(claims={"email": "x@lab.example", "email_verified": True}, userinfo={"email_verified": None})
    refused(guest().sign_in(), 403, "verified")


@pytest.mark.parametrize("where", ["Laboratory", "Elsewhere"])
def test_the_account_of_an_admin_is_not_linked_by_itself(guest, lab, where):
    person_with(lab, "gracie", "grace@lab.example", Role.ADMIN, where)
    refused(guest().sign_in(), 403, "admin")
    assert identities(lab) == []


def test_another_identity_does_not_replace_the_linked_one(guest, wicked, lab):
    somebody = guest()
    somebody.code()
    wicked.wish(claims={"sub": "4712"}, userinfo={"sub": "4712"})
    refused(somebody.sign_in(), 403, "already linked")
    assert [subject for _, subject, _ in identities(lab)] == ["4711"]


# --- not known --------------------------------------------------------------------------------------------------------


def test_nobody_is_made_when_that_is_switched_off(guest, wicked, lab):
    somebody = guest(oidc_auto_create_users=False)
    refused(somebody.sign_in(), 403, "automatic user creation")
    wicked.wish(userinfo={"email_verified": False})
    refused(somebody.sign_in(), 403, "automatic user creation")
    assert member(lab, "grace") is None


@pytest.mark.parametrize("role", ["viewer", "operator", "admin"])
def test_somebody_new_gets_the_default_role(guest, role):
    assert guest(oidc_default_role=role).me()["role"] == role


def test_somebody_new_cannot_sign_in_by_password(guest):
    somebody = guest()
    somebody.code()
    for password in ("", PASSWORD, "None"):
        attempt = {"email": "grace@lab.example", "password": password or "x"}
        assert Api(somebody.app).post("/api/v1/auth/login", attempt).status_code == 401


def test_somebody_new_belongs_to_the_organization_of_the_settings(guest, lab):
    lab.organization("Elsewhere")
    assert guest(oidc_organization="elsewhere").sign_in().status_code == 307
    assert member(lab, "grace").name == "Elsewhere"


def test_an_organization_that_does_not_exist_is_named(guest):
    refused(guest(oidc_organization="Nowhere").sign_in(), 500, "oidc_organization")


def test_an_installation_that_nobody_owns_yet_is_not_taken_over_from_elsewhere(house, wicked, lab):
    lab.organization()
    refused(Guest(house(), wicked).sign_in(), 403, "automatic user creation")


def test_a_name_that_is_taken_gets_an_ending(guest, wicked, lab):
    lab.person("grace")
    wicked.wish(userinfo={"preferred_username": "grace", "email": "g@lab.example"})
    assert guest().me()["username"].startswith("grace_")


def test_a_long_name_that_is_taken_still_fits(guest, wicked, lab):
    lab.person("a" * 50)
    wicked.wish(userinfo={"preferred_username": "a" * 100})
    name = guest().me()["username"]
    assert len(name) == 50
    assert name.startswith("a" * 43 + "_")


@pytest.mark.parametrize(
    ("preferred", "email", "name"),
    [
        ("john.doe", "x@example.com", "john.doe"),
        ("j@hn / d<>e", "x@example.com", "jhnde"),
        ("ünïcödé", "x@example.com", "ncd"),
        (None, "alice@example.com", "alice"),
        ("  ", "alice@example.com", "alice"),
        ("a" * 100, "x@example.com", "a" * 50),
    ],
)
def test_names_are_made_of_what_the_provider_says(preferred, email, name):
    assert decide.username(preferred, email) == name


def test_a_name_of_which_nothing_is_left_is_made_up():
    assert decide.username("@@@", "@@@.com").startswith("sso_user_")
    assert len(decide.username("@@@", "@@@.com")) == len("sso_user_") + 6


# --- the role that a claim says ---------------------------------------------------------------------------------------

MAPPING = {"staff": "operator", "chiefs": "admin"}


@pytest.mark.parametrize(
    ("claims", "claim", "role"),
    [
        ({"groups": ["staff"]}, "groups", Role.OPERATOR),
        ({"groups": ["staff", "chiefs"]}, "groups", Role.ADMIN),
        ({"groups": "chiefs"}, "groups", Role.ADMIN),
        ({"groups": ["others", 7, None]}, "groups", Role.VIEWER),
        ({}, "groups", Role.VIEWER),
        ({"realm_access": {"roles": ["staff"]}}, "realm_access.roles", Role.OPERATOR),
        ({"https://x.example/roles": ["staff"]}, "https://x.example/roles", Role.OPERATOR),
        ({"realm_access": "staff"}, "realm_access.roles", Role.VIEWER),
    ],
    ids=str,
)
def test_the_strongest_role_of_the_claim_counts(claims, claim, role):
    assert decide.role(claims, claim, MAPPING, "viewer") is role


def test_the_role_is_said_anew_at_every_sign_in(guest, wicked):
    somebody = guest(oidc_role_claim="groups", oidc_role_mapping=MAPPING)
    roles = []
    for groups in (["staff"], ["staff", "chiefs"], ["staff"], []):
        wicked.wish(claims={"groups": groups})
        roles.append(somebody.me()["role"])
    assert roles == ["operator", "admin", "operator", "viewer"]


def test_a_role_that_is_lost_ends_what_was_opened_with_it(guest, wicked):
    somebody = guest(oidc_role_claim="groups", oidc_role_mapping=MAPPING)
    wicked.wish(claims={"groups": ["chiefs"]})
    token = somebody.token()
    assert Api(somebody.app, token).get("/api/v1/users").status_code == 200
    wicked.wish(claims={"groups": []})
    assert somebody.sign_in().status_code == 307
    assert Api(somebody.app, token).get("/api/v1/users").status_code == 401


def test_the_last_admin_does_not_lose_the_role_to_a_claim(guest, wicked, lab, ada):
    somebody = guest(oidc_role_claim="groups", oidc_role_mapping=MAPPING)
    wicked.wish(claims={"groups": ["chiefs"]})
    assert somebody.me()["role"] == "admin"
    appoint(lab, "ada", Role.VIEWER)
    with lab.arrival():
        db.session.get(User, ada.actor.user_id).is_installation_admin = False
    wicked.wish(claims={"groups": []})
    refused(somebody.sign_in(), 403, "last administrator")
    assert member(lab, "grace").role == Role.ADMIN


def test_without_a_mapping_the_role_is_the_administrators_to_change(guest, wicked, lab):
    somebody = guest()
    somebody.code()
    appoint(lab, "grace", Role.OPERATOR)
    wicked.wish(claims={"groups": ["chiefs"]})
    assert somebody.me()["role"] == "operator"


def test_every_sign_in_is_logged_with_the_provider(guest, lab):
    somebody = guest()
    somebody.code(), somebody.code()
    with lab.arrival(write=False):
        told = list(db.session.scalars(select(LogEntry.content).where(LogEntry.content.contains("SSO"))))
    assert told == ["User 'grace' logged in via SSO (Campus)."] * 2
