"""Request limits: who is counted under what, what the answers say, and that Redis makes them one for all processes."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis

from tests import servers
from tests.make import Api
from tests.page import Browser
from webmacs.core.identity import ANONYMOUS, Actor, Role
from webmacs.factory import create_app
from webmacs.gateways.counters import Counters
from webmacs.web.limits import Limits

pytestmark = pytest.mark.any_database

OTHER = "redis://127.0.0.1:9/0"  # nothing is there


def token(name="tok_1", most=None):
    return Actor(1, "usr_1", "ada", 1, Role.ADMIN, "token", name, requests_per_minute=most)


def allowed(limits, times, actor=ANONYMOUS, address="198.51.100.1"):
    return sum(limits.count(actor, address).is_allowed for _ in range(times))


def standing(answer):
    return tuple(int(answer.headers[f"X-RateLimit-{name}"]) for name in ("Limit", "Remaining", "Reset"))


def test_the_answers_tell_where_one_stands_until_there_are_too_many(application, ada):
    client = Api(application(rate_limit_per_minute=3), ada.bearer)
    for remaining in (2, 1, 0):
        answer = client.get("/api/v1/auth/me")
        limit, left, reset = standing(answer)
        assert (answer.status_code, limit, left) == (200, 3, remaining)
        assert 0 < reset - time.time() < 62
    refused = client.get("/api/v1/auth/me")
    assert refused.status_code == 429
    assert refused.json["detail"].startswith("Too many requests.")
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert standing(refused)[:2] == (3, 0)


def test_each_credential_and_each_anonymous_address_has_a_window_of_its_own(application, lab, ada, oscar):
    app = application(rate_limit_per_minute=2)
    _, secret = lab.token(ada)
    for bearer in (ada.bearer, oscar.bearer, secret):
        statuses = [Api(app, bearer).get("/api/v1/auth/me").status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
    for address in ("198.51.100.1", "198.51.100.2"):
        base = {"REMOTE_ADDR": address}
        assert [Api(app).get("/docs", environ_base=base).status_code for _ in range(3)] == [200, 200, 429]
    assert [Browser(app, ada.session).send("GET", "/profile").status_code for _ in range(3)] == [200, 200, 429]


def test_credentials_that_are_none_count_for_the_address_that_shows_them(application, ada):
    app = application(rate_limit_per_minute=5)
    answers = [Api(app, f"wm_{number:064}").get("/api/v1/auth/me").status_code for number in range(7)]
    assert answers == [401] * 5 + [429] * 2
    assert Api(app, ada.bearer).get("/api/v1/auth/me").status_code == 200


def test_what_leads_nowhere_and_what_is_refused_is_counted_too(application, vera):
    app = application(rate_limit_per_minute=4)
    client = Api(app, vera.bearer)
    sent = [client.get("/nowhere"), client.get("/api/v1/users"), client.put("/api/v1/events"), client.get("/api/v1/x")]
    assert [answer.status_code for answer in sent] == [404, 403, 405, 404]
    assert client.get("/api/v1/auth/me").status_code == 429


def test_health_files_and_values_are_never_limited(application, lab, ada):
    app = application(rate_limit_per_minute=1)
    event = lab.event(ada)
    client = Api(app, ada.bearer)
    assert client.get("/api/v1/auth/me").status_code == 200
    value = {"event_public_id": event.public_id, "value": 1}
    for _ in range(3):
        for answer in (
            client.get("/health"),
            Api(app).get("/health/ready"),
            Api(app).get("/static/css/base.css"),
            client.post("/api/v1/datapoints", value),
            client.post("/api/v1/datapoints/batch", {"datapoints": [value]}),
            client.get("/api/v1/datapoints/latest"),
            client.get("/api/v1/datapoints"),
        ):
            assert answer.status_code in (200, 201), answer.get_data(as_text=True)
            assert "X-RateLimit-Limit" not in answer.headers
    assert client.delete("/api/v1/datapoints/dpt_none").status_code == 429


def test_a_page_is_refused_in_words(application, ada):
    browser = Browser(application(rate_limit_per_minute=1), ada.session)
    browser.visit("/profile")
    answer = browser.send("GET", "/profile")
    page = browser.check(answer, "/profile", 429)
    assert "Too many requests" in page.text
    assert int(answer.headers["Retry-After"]) > 0


def test_zero_means_no_limit(application):
    client = Api(application(rate_limit_per_minute=0))
    answers = [client.get("/docs") for _ in range(5)]
    assert {answer.status_code for answer in answers} == {200}
    assert "X-RateLimit-Limit" not in answers[-1].headers


def test_by_default_scripts_are_trusted_with_more_than_strangers(application, ada):
    app = application(rate_limit_per_minute=None)
    assert standing(Api(app, ada.bearer).get("/api/v1/auth/me"))[0] == 100_000
    assert standing(Api(app).get("/docs"))[0] == 300
    assert [Api(app).get("/api/v1/nowhere").status_code for _ in range(300)].count(429) == 1


def test_a_spoofed_forwarding_header_changes_nothing(application, ada):
    app = application(rate_limit_per_minute=3)
    spoofed = ({"X-Forwarded-For": f"10.0.0.{n}", "X-Real-IP": "127.0.0.1", "Forwarded": "for=::1"} for n in range(5))
    assert [Api(app).get("/docs", headers=headers).status_code for headers in spoofed] == [200] * 3 + [429] * 2


def test_behind_a_believed_proxy_each_sender_is_counted_alone(application):
    from ipaddress import ip_network

    app = application(rate_limit_per_minute=2, trusted_proxies=(ip_network("10.0.0.0/8"),))

    def ask(said):
        base = {"REMOTE_ADDR": "10.0.0.2"}
        return Api(app).get("/docs", environ_base=base, headers={"X-Forwarded-For": said}).status_code

    assert [ask(f"203.0.113.{n}, 198.51.100.1") for n in range(3)] == [200, 200, 429]
    assert ask("198.51.100.2") == 200


# --- the counter itself -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [1, 7, 300, 1000])
def test_never_more_than_the_limit_however_many_processes_and_threads(site, most):
    processes = [Limits(Counters(site.redis), most) for _ in range(4)]
    with ThreadPoolExecutor(8) as threads:
        taken = threads.map(lambda n: allowed(processes[n % 4], most, token(f"tok_{most}")), range(12))
    total = sum(taken)
    assert most - 4 * (most // 100) <= total <= most  # what a process has taken and not used is lost


def test_a_process_asks_redis_once_for_many_requests(site):
    redis = Redis.from_url(site.redis)
    limits = Limits(Counters(site.redis), None)
    allowed(limits, 1, token("tok_many"))
    before = redis.info("commandstats")["cmdstat_evalsha"]["calls"]
    assert allowed(limits, 2500, token("tok_many")) == 2500
    assert redis.info("commandstats")["cmdstat_evalsha"]["calls"] - before == 2


def test_refused_requests_do_not_make_the_window_longer(site):
    redis = Redis.from_url(site.redis)
    limits = Limits(Counters(site.redis), 2)
    assert allowed(limits, 5, token("tok_long")) == 2
    assert redis.get("count:requests:credential:tok_long") == b"2"
    redis.delete("count:requests:credential:tok_long")  # the window ends for the others
    other = Limits(Counters(site.redis), 2)
    assert allowed(other, 5, token("tok_long")) == 2
    assert 0 < redis.ttl("count:requests:credential:tok_long") <= 60


def test_a_window_ends_by_itself(site, monkeypatch):
    monkeypatch.setattr("webmacs.web.limits.WINDOW", 1)
    limits = Limits(Counters(site.redis), 2)
    count = [limits.count(token("tok_end"), "") for _ in range(3)][-1]
    assert not count.is_allowed
    deadline = time.monotonic() + 5
    while not limits.count(token("tok_end"), "").is_allowed:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(("own", "installation", "most"), [(5, None, 5), (5, 3, 3), (5, 0, 5), (None, 4, 4)])
def test_a_token_may_have_a_smaller_limit_of_its_own(site, own, installation, most):
    limits = Limits(Counters(site.redis), installation)
    assert allowed(limits, most + 3, token(f"tok_{own}_{installation}", own)) == most


def test_without_redis_a_process_counts_alone_and_fails_never():
    for url in (None, OTHER):
        limits = Limits(Counters(url), 3)
        assert allowed(limits, 6) == 3
        assert allowed(limits, 6, token()) == 3


def test_when_redis_goes_and_comes_the_limit_stays():
    with servers.redis() as url:
        redis = Redis.from_url(url)
        limits = Limits(Counters(url), 10)
        assert allowed(limits, 4) == 4
        redis.config_set("maxmemory", 1)
        redis.config_set("maxmemory-policy", "noeviction")  # it refuses to write from now on
        assert allowed(limits, 30) <= 10
        redis.config_set("maxmemory", 0)
        assert allowed(limits, 30) <= 10
    began = time.monotonic()
    assert allowed(limits, 1000, token("tok_gone")) == 10
    assert time.monotonic() - began < 2


def test_many_strangers_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr("webmacs.web.limits.MOST", 100)
    monkeypatch.setattr("webmacs.gateways.counters.MOST", 100)
    counters = Counters(None)
    limits = Limits(counters, 3)
    for number in range(1000):
        assert allowed(limits, 1, address=f"198.51.{number // 250}.{number % 250}") == 1
    assert len(limits._stocks) <= 100
    assert len(counters._own._numbers) <= 100


def test_the_event_loop_counts_only_what_is_in_stock(site, ada, installation):
    limits = create_app(site.settings(installation.url, rate_limit_per_minute=2)).extensions["webmacs.limits"]
    actor = ada.actor
    assert limits.count_at_once(actor) == (None, False)  # nothing in stock: the application counts
    assert limits.count(actor, "").is_allowed
    assert limits.count_at_once(actor)[1] is False
    many = Limits(Counters(site.redis), 1000)
    assert many.count(token("tok_memory"), "").remaining == 999
    count, is_counted = many.count_at_once(token("tok_memory"))
    assert (is_counted, count.remaining) == (True, 998)
