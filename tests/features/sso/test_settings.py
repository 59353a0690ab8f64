"""The settings of single sign-on: what stops the start, and what follows from what."""

import json

import pytest

from webmacs.settings import Settings, SettingsError

GUESTS = {"key": "guests", "issuer_url": "https://guests.example/", "client_id": "webmacs"}


def read(**environment):
    return Settings.from_environment(environment)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OIDC_DEFAULT_ROLE", "king"),
        ("OIDC_SCOPES", "email profile"),
        ("OIDC_ISSUER_URL", "login.example"),
        ("OIDC_ISSUER_URL", "https://login.example/?tenant=1"),
        ("OIDC_FRONTEND_URL", "javascript:alert(1)"),
        ("OIDC_REDIRECT_URI", "https://webmacs.example/elsewhere"),
        ("OIDC_ALLOWED_ALGORITHMS", "RS256 none"),
        ("OIDC_ALLOWED_ALGORITHMS", "HS256"),
        ("OIDC_ROLE_MAPPING", "{"),
        ("OIDC_ROLE_MAPPING", '{"chiefs": "king"}'),
        ("OIDC_ENABLED", "perhaps"),
        ("OIDC_PROVIDERS", '[{"key": "guests"}]'),
        ("OIDC_PROVIDERS", json.dumps([GUESTS | {"default_role": "king"}])),
        ("OIDC_PROVIDERS", json.dumps([GUESTS | {"secret": "x"}])),
        ("OIDC_PROVIDERS", json.dumps([GUESTS | {"key": "default"}])),
        ("OIDC_PROVIDERS", json.dumps([GUESTS | {"key": "Guests!"}])),
        ("OIDC_PROVIDERS", json.dumps([GUESTS | {"issuer_url": ""}])),
        ("OIDC_PROVIDERS", json.dumps([GUESTS, GUESTS])),
    ],
)
def test_what_cannot_be_used_stops_the_start_and_is_named(variable, value):
    with pytest.raises(SettingsError, match=f"^{variable}: "):
        read(**{variable: value})


def test_what_is_only_incomplete_does_not_stop_the_start():
    assert read(OIDC_ENABLED="1").identity_providers[0].issuer_url == ""


@pytest.mark.parametrize(
    ("environment", "address"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"WEBMACS_HOST": "0.0.0.0", "WEBMACS_PORT": "81"}, "http://localhost:81"),  # noqa: S104 - read, not bound
        ({"WEBMACS_SECURE_COOKIES": "1", "WEBMACS_HOST": "lab.example"}, "https://lab.example:8000"),
        ({"WEBMACS_PUBLIC_URL": "https://lab.example"}, "https://lab.example"),
    ],
    ids=str,
)
def test_the_redirect_address_is_our_own_unless_it_is_given(environment, address):
    settings = read(**environment)
    assert settings.identity_providers[0].redirect_uri == f"{address}/api/v1/auth/sso/callback"
    assert settings.sso_landing == address


def test_browsers_land_at_the_front_end_of_the_settings():
    front, others = "https://front.example", "https://one.example,https://two.example"
    assert read(OIDC_FRONTEND_URL=f"{front}/", CORS_ORIGINS=others).sso_landing == front
    assert read(CORS_ORIGINS=others).sso_landing == "https://one.example"


def test_each_provider_has_a_redirect_address_of_its_own():
    more = json.dumps([GUESTS | {"role_claim": "groups", "role_mapping": {"chiefs": "admin"}}])
    first, second = read(WEBMACS_PUBLIC_URL="https://lab.example", OIDC_PROVIDERS=more).identity_providers
    assert second.redirect_uri == f"{first.redirect_uri}?provider=guests"
    assert (second.issuer_url, second.role_mapping) == ("https://guests.example", {"chiefs": "admin"})


def test_no_secret_is_shown_when_a_provider_is_printed():
    provider = read(OIDC_CLIENT_SECRET="hush").identity_providers[0]
    assert provider.client_secret == "hush"
    assert "hush" not in repr(provider)
