"""Where a request comes from: what proxies say counts only when they are configured."""

import pytest

from tests.make import Api
from webmacs.settings import Settings, SettingsError
from webmacs.web.proxies import Proxies, neighbourhood

CHAIN = {"WEBMACS_TRUSTED_PROXIES": "10.0.0.0/8, 2001:db8:ffff::/48,192.0.2.7"}


def proxies(**environment):
    return Proxies(Settings.from_environment(environment or CHAIN).trusted_proxies)


@pytest.mark.parametrize(
    ("peer", "said", "address"),
    [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # nobody that we know says so
        ("10.0.0.2", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.2", "1.1.1.1, 198.51.100.1", "198.51.100.1"),  # the first is what the sender invented
        ("10.0.0.2", "1.1.1.1, 198.51.100.1, 10.9.9.9", "198.51.100.1"),
        ("10.0.0.2", "127.0.0.1, 10.1.1.1, 198.51.100.1,10.9.9.9, 192.0.2.7", "198.51.100.1"),
        ("10.0.0.2", "10.1.1.1, 10.2.2.2", "10.1.1.1"),  # somebody among the proxies themselves
        ("10.0.0.2", "", "10.0.0.2"),
        ("10.0.0.2", "nonsense", "10.0.0.2"),
        ("10.0.0.2", "198.51.100.1, unknown, 10.9.9.9", "10.9.9.9"),  # what stands left of nonsense is not ours
        ("10.0.0.2", "198.51.100.1:5123", "198.51.100.1"),
        ("10.0.0.2", "[2001:db8::5]:443", "2001:db8::5"),
        ("10.0.0.2", "2001:db8::5", "2001:db8::5"),
        ("10.0.0.2", "::ffff:198.51.100.1", "198.51.100.1"),
        ("::ffff:10.0.0.2", "198.51.100.1", "198.51.100.1"),
        ("2001:db8:ffff::1", "2001:db8:1::1, 10.1.1.1", "2001:db8:1::1"),
        ("10.0.0.2", "fe80::1%eth0", "fe80::1"),
        ("10.0.0.2", "1.2.3.4.5, 0x7f000001", "10.0.0.2"),
        ("10.0.0.2", "," * 5000, "10.0.0.2"),
        ("", "198.51.100.1", ""),
        ("/run/socket", "198.51.100.1", "/run/socket"),
    ],
)
def test_the_sender_is_the_first_from_the_right_that_is_no_proxy_of_ours(peer, said, address):
    assert proxies().told(peer, {"x-forwarded-for": said}).address == address


def test_nobody_is_believed_by_default():
    nobody = proxies(WEBMACS_TRUSTED_PROXIES="")
    assert not nobody
    scope = {"type": "http", "client": ("127.0.0.1", 1), "headers": [(b"x-forwarded-for", b"1.1.1.1")]}
    assert nobody.believed(scope) is scope


@pytest.mark.parametrize(
    ("peer", "proto", "host", "believed"),
    [
        ("10.0.0.2", "https", "lab.example", ("https", "lab.example")),
        ("10.0.0.2", "HTTPS", "lab.example:8443", ("https", "lab.example:8443")),
        ("10.0.0.2", "http, https", "evil.example, lab.example", ("https", "lab.example")),
        ("10.0.0.2", "javascript", "lab.example/..", (None, None)),
        ("10.0.0.2", "", "a b", (None, None)),
        ("10.0.0.2", "wss", "[2001:db8::1]:8000", (None, "[2001:db8::1]:8000")),
        ("203.0.113.9", "https", "lab.example", (None, None)),
    ],
)
def test_scheme_and_host_are_believed_from_proxies_only(peer, proto, host, believed):
    told = proxies().told(peer, {"x-forwarded-proto": proto, "x-forwarded-host": host})
    assert (told.scheme, told.host) == believed


def test_a_socket_behind_a_proxy_is_secure_and_keeps_no_trace_of_the_header():
    scope = {
        "type": "websocket",
        "scheme": "ws",
        "client": ("10.0.0.2", 4711),
        "headers": [
            (b"host", b"inner:8000"),
            (b"x-forwarded-for", b"1.1.1.1"),
            (b"x-forwarded-for", b"198.51.100.1"),
            (b"x-forwarded-proto", b"https"),
            (b"x-forwarded-host", b"lab.example"),
            (b"origin", b"https://lab.example"),
        ],
    }
    seen = proxies().believed(scope)
    assert (seen["client"], seen["scheme"]) == (("198.51.100.1", 4711), "wss")
    assert seen["headers"] == [(b"origin", b"https://lab.example"), (b"host", b"lab.example")]


def test_a_spoofed_header_of_a_stranger_is_dropped_not_kept_for_somebody_to_believe():
    scope = {
        "type": "http",
        "scheme": "http",
        "client": ("203.0.113.9", 1),
        "headers": [(b"x-forwarded-for", b"10.0.0.1"), (b"x-forwarded-proto", b"https")],
    }
    seen = proxies().believed(scope)
    assert (seen["client"], seen["scheme"], seen["headers"]) == (("203.0.113.9", 1), "http", [])


@pytest.mark.parametrize("given", ["everybody", "10.0.0.0/33", "10.0.0.1/8", "*", "10.0.0.0/8;10.1.1.1"])
def test_what_is_no_network_stops_the_start(given):
    with pytest.raises(SettingsError, match=r"^WEBMACS_TRUSTED_PROXIES: "):
        Settings.from_environment({"WEBMACS_TRUSTED_PROXIES": given})


def test_neighbours_in_a_network_of_version_six_count_as_one():
    assert neighbourhood("2001:db8::1") == neighbourhood("2001:db8::ffff:2") != neighbourhood("2001:db8:0:1::1")
    assert neighbourhood("198.51.100.1") != neighbourhood("198.51.100.2")
    assert neighbourhood("::ffff:198.51.100.1") == "198.51.100.1"
    assert neighbourhood("") == ""


@pytest.mark.any_database
def test_the_application_sees_the_sender_and_https_behind_a_proxy(behind_proxy):
    answer = Api(behind_proxy).get(
        "/login",
        environ_base={"REMOTE_ADDR": "10.0.0.2"},
        headers={"X-Forwarded-For": "198.51.100.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "lab.example"},
    )
    assert "max-age" in answer.headers["Strict-Transport-Security"]
    plain = Api(behind_proxy).get(
        "/login", environ_base={"REMOTE_ADDR": "198.51.100.1"}, headers={"X-Forwarded-Proto": "https"}
    )
    assert "Strict-Transport-Security" not in plain.headers
