"""What proves somebody besides the password, and what no longer does."""

from datetime import UTC, datetime, timedelta

import pyotp
import pytest
import time_machine

from tests.authenticator import SecurityKey
from webmacs.core.db import db
from webmacs.core.errors import Conflict, Forbidden, Invalid
from webmacs.features.factors import decide, operations, queries
from webmacs.features.factors.models import Authenticator, RecoveryCode, Step
from webmacs.features.factors.schemas import Purpose, Way
from webmacs.gateways.passkeys import Site

NOW = datetime(2026, 11, 21, 12, 0, 10, tzinfo=UTC)
SITE = Site("http://localhost")


@pytest.fixture
def noon():
    """The clock, to be moved by hand."""
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture
def factors(lab):
    """The operations, each as one arrival."""

    class Arrivals:
        def __getattr__(self, name):
            def call(*given, **named):
                with lab.arrival():
                    return getattr(operations, name)(*given, **named)

            return call

    return Arrivals()


def _secret(lab, who):
    with lab.arrival(write=False):
        return queries.secret_of(queries.authenticator(who.actor.user_id))


def _app(lab, factors, who):
    """An authenticator app that counts, and the recovery codes that came with it."""
    factors.confirm(who.actor)
    factors.begin_authenticator(who.actor)
    app = pyotp.TOTP(_secret(lab, who))
    codes = factors.finish_authenticator(who.actor, app.at(datetime.now(UTC)))
    return app, codes


def _key(factors, who, name="Blue key", **built):
    """A registered passkey, and the recovery codes that came with it."""
    key = SecurityKey(**built)
    factors.confirm(who.actor)
    codes = factors.finish_passkey(who.actor, name, key.make(factors.begin_passkey(who.actor, SITE)), SITE)
    return key, codes


def _ways(lab, who):
    with lab.arrival(write=False):
        return queries.ways(who.actor.user_id)


# --- authenticator app ------------------------------------------------------------------------------------------------


def test_an_app_counts_once_its_first_code_was_given(noon, lab, vera, factors):
    factors.confirm(vera.actor)
    factors.begin_authenticator(vera.actor)
    assert _ways(lab, vera) == ()
    with pytest.raises(Invalid):
        factors.finish_authenticator(vera.actor, "000000")
    app = pyotp.TOTP(_secret(lab, vera))
    assert factors.redeem(vera.actor.user_id, app.now()) is None
    codes = factors.finish_authenticator(vera.actor, f" {app.now()[:3]} {app.now()[3:]} ")
    assert len(set(codes)) == 10
    assert _ways(lab, vera) == (Way.TOTP, Way.RECOVERY)


def test_a_code_opens_once(noon, lab, vera, factors):
    app, _ = _app(lab, factors, vera)
    spent = app.now()
    assert factors.redeem(vera.actor.user_id, spent) is None, "the code that confirmed the app is spent"
    noon.shift(30)
    assert factors.redeem(vera.actor.user_id, app.now()) is Way.TOTP
    assert factors.redeem(vera.actor.user_id, app.now()) is None
    assert factors.redeem(vera.actor.user_id, spent) is None


@pytest.mark.parametrize(("seconds", "fits"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_a_code_fits_half_a_minute_early_and_late(noon, lab, vera, factors, seconds, fits):
    app, _ = _app(lab, factors, vera)
    noon.shift(600)
    code = app.at(datetime.now(UTC) + timedelta(seconds=seconds))
    assert (factors.redeem(vera.actor.user_id, code) is Way.TOTP) is fits


def test_a_later_code_ends_the_earlier_ones(noon, lab, vera, factors):
    app, _ = _app(lab, factors, vera)
    noon.shift(600)
    early, late = app.now(), app.at(datetime.now(UTC) + timedelta(seconds=30))
    assert factors.redeem(vera.actor.user_id, late) is Way.TOTP
    assert factors.redeem(vera.actor.user_id, early) is None


def test_the_code_of_another_opens_nothing(noon, lab, ada, vera, factors):
    app, codes = _app(lab, factors, vera)
    _app(lab, factors, ada)
    noon.shift(30)
    assert factors.redeem(ada.actor.user_id, app.now()) is None
    assert factors.redeem(ada.actor.user_id, codes[0]) is None


def test_the_secret_is_kept_sealed_and_opens_for_its_owner_only(noon, lab, ada, vera, factors):
    app, codes = _app(lab, factors, vera)
    with lab.arrival():
        row = queries.authenticator(vera.actor.user_id)
        assert app.secret not in row.sealed_secret
        row.user_id = ada.actor.user_id
        assert queries.secret_of(row) is None
        db.session.expire(row)
        kept = " ".join(code.mark for code in db.session.query(RecoveryCode))
        assert not any(code.replace("-", "") in kept for code in codes)


def test_an_app_is_not_replaced_by_accident(noon, lab, vera, factors):
    _app(lab, factors, vera)
    with pytest.raises(Conflict, match="remove it first"):
        factors.begin_authenticator(vera.actor)


def test_an_app_that_nobody_confirmed_is_forgotten(noon, lab, vera, factors):
    factors.confirm(vera.actor)
    factors.begin_authenticator(vera.actor)
    noon.shift(90_000)
    factors.forget_expired()
    with lab.arrival(write=False):
        assert db.session.query(Authenticator).count() == 0
        assert db.session.query(Step).count() == 0


# --- recovery codes ---------------------------------------------------------------------------------------------------


def test_a_recovery_code_opens_once_however_it_is_typed(noon, lab, vera, factors):
    _, codes = _app(lab, factors, vera)
    assert factors.redeem(vera.actor.user_id, codes[0].upper().replace("-", " ")) is Way.RECOVERY
    assert factors.redeem(vera.actor.user_id, codes[0]) is None
    misread = codes[1].replace("0", "O").replace("1", "l")
    assert factors.redeem(vera.actor.user_id, misread) is Way.RECOVERY
    with lab.arrival(write=False):
        assert queries.summary(vera.actor).codes_left == 8


def test_new_recovery_codes_end_the_earlier_ones(noon, lab, vera, factors):
    _, codes = _app(lab, factors, vera)
    renewed = factors.renew_recovery_codes(vera.actor)
    assert not set(codes) & set(renewed)
    assert factors.redeem(vera.actor.user_id, codes[0]) is None
    assert factors.redeem(vera.actor.user_id, renewed[0]) is Way.RECOVERY


def test_recovery_codes_come_with_the_first_factor_and_go_with_the_last(noon, lab, vera, factors):
    _, codes = _app(lab, factors, vera)
    _, more = _key(factors, vera)
    assert (len(codes), more) == (10, [])
    factors.remove_authenticator(vera.actor)
    assert _ways(lab, vera) == (Way.PASSKEY, Way.RECOVERY)
    with lab.arrival(write=False):
        key = queries.summary(vera.actor).passkeys[0]
    factors.remove_passkey(vera.actor, key.public_id)
    assert _ways(lab, vera) == ()
    assert factors.redeem(vera.actor.user_id, codes[0]) is None
    with pytest.raises(Conflict, match="first"):
        factors.renew_recovery_codes(vera.actor)


# --- passkeys ---------------------------------------------------------------------------------------------------------


def test_a_passkey_finishes_a_sign_in(lab, vera, factors):
    key, _ = _key(factors, vera)
    handle = factors.begin(Purpose.SIGN_IN, vera.actor.user_id)
    answer = key.prove(factors.passkey_options(Purpose.SIGN_IN, handle, SITE))
    assert factors.answer_with_passkey(Purpose.SIGN_IN, handle, answer, SITE) == vera.actor.user_id
    assert factors.answer_with_passkey(Purpose.SIGN_IN, handle, answer, SITE) is None


def test_a_passkey_signs_in_alone(lab, vera, factors):
    key, _ = _key(factors, vera)
    handle = factors.begin(Purpose.PASSWORDLESS)
    answer = key.prove(factors.passkey_options(Purpose.PASSWORDLESS, handle, SITE))
    assert factors.answer_with_passkey(Purpose.PASSWORDLESS, handle, answer, SITE) == vera.actor.user_id


def test_alone_a_passkey_must_have_checked_its_user(lab, vera, factors):
    key, _ = _key(factors, vera, checks_user=False)
    alone = factors.begin(Purpose.PASSWORDLESS)
    answer = key.prove(factors.passkey_options(Purpose.PASSWORDLESS, alone, SITE))
    assert factors.answer_with_passkey(Purpose.PASSWORDLESS, alone, answer, SITE) is None
    second = factors.begin(Purpose.SIGN_IN, vera.actor.user_id)
    answer = key.prove(factors.passkey_options(Purpose.SIGN_IN, second, SITE))
    assert factors.answer_with_passkey(Purpose.SIGN_IN, second, answer, SITE) == vera.actor.user_id


def test_a_challenge_is_spent_by_the_first_answer(lab, vera, factors):
    key, _ = _key(factors, vera)
    handle = factors.begin(Purpose.SIGN_IN, vera.actor.user_id)
    options = factors.passkey_options(Purpose.SIGN_IN, handle, SITE)
    assert factors.answer_with_passkey(Purpose.SIGN_IN, handle, "{}", SITE) is None
    assert factors.answer_with_passkey(Purpose.SIGN_IN, handle, key.prove(options), SITE) is None
    fresh = key.prove(factors.passkey_options(Purpose.SIGN_IN, handle, SITE))
    assert factors.answer_with_passkey(Purpose.SIGN_IN, handle, fresh, SITE) == vera.actor.user_id


def test_an_answer_from_another_browser_or_site_is_refused(lab, vera, factors):
    key, _ = _key(factors, vera)
    mine, others = (factors.begin(Purpose.SIGN_IN, vera.actor.user_id) for _ in range(2))
    answer = key.prove(factors.passkey_options(Purpose.SIGN_IN, others, SITE))
    assert factors.answer_with_passkey(Purpose.SIGN_IN, mine, answer, SITE) is None
    key.origin = "http://evil.example"
    answer = key.prove(factors.passkey_options(Purpose.SIGN_IN, mine, SITE))
    assert factors.answer_with_passkey(Purpose.SIGN_IN, mine, answer, SITE) is None
    key.origin = "http://localhost"
    elsewhere = Site("http://other.example")
    assert factors.passkey_options(Purpose.SIGN_IN, mine, elsewhere) is None
    answer = key.prove(factors.passkey_options(Purpose.SIGN_IN, mine, SITE))
    assert factors.answer_with_passkey(Purpose.SIGN_IN, mine, answer, elsewhere) is None


def test_the_passkey_of_another_does_not_follow_my_password(lab, ada, vera, factors):
    key, _ = _key(factors, ada)
    _key(factors, vera)
    handle = factors.begin(Purpose.SIGN_IN, vera.actor.user_id)
    answer = key.prove(factors.passkey_options(Purpose.SIGN_IN, handle, SITE))
    assert factors.answer_with_passkey(Purpose.SIGN_IN, handle, answer, SITE) is None


def test_a_counter_that_does_not_rise_is_refused(lab, vera, factors):
    key, _ = _key(factors, vera)
    for counter, opens in ((5, True), (3, False), (5, False), (9, True)):
        handle = factors.begin(Purpose.SIGN_IN, vera.actor.user_id)
        key.counter = counter - 1
        answer = key.prove(factors.passkey_options(Purpose.SIGN_IN, handle, SITE))
        found = factors.answer_with_passkey(Purpose.SIGN_IN, handle, answer, SITE)
        assert (found == vera.actor.user_id) is opens, counter


@pytest.mark.parametrize(
    "answer", ["", "{}", "[]", "null", "nonsense", '{"id": 5}', "[" * 15_000, '{"id": "x", "rawId": "x"}']
)
def test_a_hostile_answer_is_refused_and_breaks_nothing(lab, vera, factors, answer):
    _key(factors, vera)
    factors.begin_passkey(vera.actor, SITE)
    with pytest.raises(Invalid):
        factors.finish_passkey(vera.actor, "Evil", answer, SITE)
    handle = factors.begin(Purpose.SIGN_IN, vera.actor.user_id)
    assert factors.answer_with_passkey(Purpose.SIGN_IN, handle, answer, SITE) is None


def test_a_passkey_is_registered_once_and_by_its_own_login_only(lab, vera, ada, factors):
    key = SecurityKey()
    factors.confirm(vera.actor)
    factors.confirm(ada.actor)
    made = key.make(factors.begin_passkey(vera.actor, SITE))
    factors.begin_passkey(ada.actor, SITE)
    with pytest.raises(Invalid):
        factors.finish_passkey(ada.actor, "Stolen", made, SITE)
    factors.finish_passkey(vera.actor, "Mine", made, SITE)
    with pytest.raises(Invalid):
        factors.finish_passkey(vera.actor, "Again", made, SITE)
    again = key.make(factors.begin_passkey(ada.actor, SITE))
    with pytest.raises(Conflict, match="known already"):
        factors.finish_passkey(ada.actor, "Also mine", again, SITE)


def test_an_address_of_numbers_has_no_passkeys(vera, factors):
    factors.confirm(vera.actor)
    for address in ("http://192.168.1.5:8000", "http://[::1]:8000"):
        with pytest.raises(Conflict, match="address of numbers"):
            factors.begin_passkey(vera.actor, Site(address))


# --- steps and rights -------------------------------------------------------------------------------------------------


def test_after_five_wrong_codes_a_sign_in_begins_anew(noon, lab, vera, factors):
    app, _ = _app(lab, factors, vera)
    noon.shift(30)
    handle = factors.begin(Purpose.SIGN_IN, vera.actor.user_id)
    for _ in range(5):
        assert factors.answer_with_code(handle, "000000") is None
    assert factors.answer_with_code(handle, app.now()) is None
    again = factors.begin(Purpose.SIGN_IN, vera.actor.user_id)
    assert factors.answer_with_code(again, app.now()) == (vera.actor.user_id, Way.TOTP)


def test_a_sign_in_that_takes_too_long_begins_anew(noon, lab, vera, factors):
    app, _ = _app(lab, factors, vera)
    handle = factors.begin(Purpose.SIGN_IN, vera.actor.user_id)
    noon.shift(601)
    assert factors.answer_with_code(handle, app.now()) is None


def test_a_step_serves_its_own_purpose_only(noon, lab, vera, factors):
    app, _ = _app(lab, factors, vera)
    noon.shift(30)
    for purpose in (Purpose.PASSWORDLESS, Purpose.REGISTER, Purpose.CONFIRMED):
        handle = factors.begin(purpose, vera.actor.user_id)
        assert factors.answer_with_code(handle, app.now()) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda factors, actor: factors.begin_authenticator(actor),
        lambda factors, actor: factors.finish_authenticator(actor, "000000"),
        lambda factors, actor: factors.remove_authenticator(actor),
        lambda factors, actor: factors.begin_passkey(actor, SITE),
        lambda factors, actor: factors.finish_passkey(actor, "x", "{}", SITE),
        lambda factors, actor: factors.renew_recovery_codes(actor),
    ],
)
def test_every_change_asks_who_it_is_again(noon, lab, vera, factors, change):
    _app(lab, factors, vera)
    noon.shift(601)
    with pytest.raises(Conflict, match="Confirm first"):
        change(factors, vera.actor)
    with lab.arrival(write=False):
        assert queries.summary(vera.actor).authenticator_since is not None


def test_a_viewer_cannot_reset_the_factors_of_others(noon, lab, ada, vera, factors):
    _app(lab, factors, ada)
    with pytest.raises(Forbidden):
        factors.reset(vera.actor, ada.actor.user_id)
    assert _ways(lab, ada) != ()
    factors.reset(ada.actor, ada.actor.user_id)
    assert _ways(lab, ada) == ()


def test_the_picture_needs_no_styles_and_holds_the_whole_link():
    link = decide.enrolment_link("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "ada & <co>")
    assert link.startswith(
        "otpauth://totp/WebMACS:ada%20%26%20%3Cco%3E?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=WebMACS"
    )
    picture = decide.picture(link)
    assert picture.startswith("<svg ")
    assert not any(bad in picture for bad in ("style", "<script", "onload", "<?xml"))
