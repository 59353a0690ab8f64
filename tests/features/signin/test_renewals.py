"""Refresh tokens: each renews a login once; a second use ends the login for whoever stole it and its owner alike."""

import threading
from datetime import timedelta

import pytest
import time_machine

from tests.make import PASSWORD, Api
from webmacs.core import clock

LOGIN, REFRESH, ME = "/api/v1/auth/login", "/api/v1/auth/refresh", "/api/v1/auth/me"


@pytest.fixture
def signed_in(app, vera):
    """What a client that asks for a refresh token is answered."""
    return Api(app).post(LOGIN, {"email": vera.email, "password": PASSWORD, "refresh": True}).json


def _renew(app, token):
    return Api(app).post(REFRESH, {"refresh_token": token})


def test_a_client_that_does_not_ask_gets_the_documented_answer(app, vera):
    answer = Api(app).post(LOGIN, {"email": vera.email, "password": PASSWORD}).json
    assert set(answer) == {"status", "message", "access_token", "public_id", "username"}


def test_a_refresh_token_gives_a_new_pair(app, signed_in):
    renewed = _renew(app, signed_in["refresh_token"])
    assert renewed.status_code == 200
    assert renewed.json["refresh_token"] != signed_in["refresh_token"]
    assert Api(app, renewed.json["access_token"]).get(ME).json["username"] == "vera"
    assert _renew(app, renewed.json["refresh_token"]).status_code == 200


def test_a_used_one_ends_the_login_for_everybody(app, signed_in):
    renewed = _renew(app, signed_in["refresh_token"]).json
    again = _renew(app, signed_in["refresh_token"])
    assert (again.status_code, "used before" in again.json["detail"]) == (401, True)
    assert _renew(app, renewed["refresh_token"]).status_code == 401
    for token in (signed_in["access_token"], renewed["access_token"]):
        assert Api(app, token).get(ME).status_code == 401


def test_of_many_at_once_only_one_is_renewed(app, signed_in):
    start, statuses = threading.Barrier(6), []

    def renew():
        start.wait()
        statuses.append(_renew(app, signed_in["refresh_token"]).status_code)

    threads = [threading.Thread(target=renew) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [401] * 5


def test_the_login_lives_on_although_its_access_token_ended(app, signed_in):
    later = clock.now() + timedelta(days=3)
    with time_machine.travel(later, tick=False):
        assert Api(app, signed_in["access_token"]).get(ME).status_code == 401
        renewed = _renew(app, signed_in["refresh_token"]).json
        assert Api(app, renewed["access_token"]).get(ME).status_code == 200
    with time_machine.travel(later + timedelta(days=31), tick=False):
        assert _renew(app, renewed["refresh_token"]).status_code == 401


def test_it_ends_with_the_login(app, lab, ada, vera, signed_in, client_as):
    assert Api(app, signed_in["access_token"]).post("/api/v1/auth/logout").status_code == 200
    assert _renew(app, signed_in["refresh_token"]).status_code == 401


@pytest.mark.parametrize("change", [{"is_disabled": True}, {"password": "another password"}, {"role": "operator"}])
def test_it_ends_when_an_administrator_changes_the_user(app, ada, vera, signed_in, client_as, change):
    assert client_as(ada).put(f"/api/v1/users/{vera.public_id}", change).status_code == 200
    assert _renew(app, signed_in["refresh_token"]).status_code == 401


@pytest.mark.parametrize("token", ["wr_unknown", "", None, "x" * 2000])
def test_what_is_none_is_refused(app, token):
    assert _renew(app, token).status_code in (401, 422)


def test_it_opens_nothing_by_itself(app, signed_in):
    assert Api(app, signed_in["refresh_token"]).get(ME).status_code == 401
