"""Somebody lost their second factor: an administrator takes it away."""

from tests.make import PASSWORD, Api
from webmacs.core.identity import Role

LOGIN = "/api/v1/auth/login"


def _sign_in(app, who):
    return Api(app).post(LOGIN, {"email": who.email, "password": PASSWORD})


def test_an_administrator_takes_lost_factors_away(lab, ada, vera, client_as, browser_as, app):
    lab.second_factor(vera)
    assert _sign_in(app, vera).status_code == 401
    form = browser_as(ada).visit(f"/users/{vera.public_id}").form(f"/users/{vera.public_id}/reset-factors")
    assert form.submit().status_code == 303
    assert client_as(vera).get("/api/v1/auth/me").status_code == 401
    assert _sign_in(app, vera).status_code == 200
    assert f"/users/{vera.public_id}/reset-factors" not in browser_as(ada).visit(f"/users/{vera.public_id}").html


def test_who_has_none_has_none_to_lose(ada, vera, client_as):
    answer = client_as(ada).delete(f"/api/v1/users/{vera.public_id}/second-factors")
    assert (answer.status_code, "no second factor" in answer.json["detail"]) == (409, True)


def test_ones_own_are_not_taken_away_this_way(lab, ada, client_as):
    lab.second_factor(ada)
    assert client_as(ada).delete(f"/api/v1/users/{ada.public_id}/second-factors").status_code == 409


def test_those_of_an_account_that_others_rely_on_stay(lab, ada, eve, vera, client_as, app):
    lab.second_factor(vera)
    lab.join(vera, "Elsewhere")
    path = f"/api/v1/users/{vera.public_id}/second-factors"
    for who in (ada, eve):
        assert client_as(who).delete(path).status_code == 403
    assert _sign_in(app, vera).status_code == 401
    root = lab.chief(lab.person("root", Role.ADMIN))
    assert client_as(root).delete(path).status_code == 200
