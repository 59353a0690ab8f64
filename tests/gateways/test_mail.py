"""The door to the mail server, against a server that really speaks SMTP."""

import pytest

from tests import postoffice
from webmacs.gateways.mail import Letter, MailError

LETTER = Letter("grace@lab.example", "Grüße aus dem Labor", "Ein Wort.\n", "<p>Ein Wort.</p>")


def test_a_letter_arrives_as_text_and_as_html():
    with postoffice.opened() as office:
        office.mailer().send(LETTER)
    (letter,) = office.letters
    assert (letter["To"], letter["From"]) == ("grace@lab.example", postoffice.SENDER)
    assert letter["Subject"] == LETTER.subject
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["Message-ID"].endswith("@lab.example>")
    assert letter.get_body(("plain",)).get_content().splitlines() == ["Ein Wort."]
    assert "<p>Ein Wort.</p>" in letter.get_body(("html",)).get_content()


def test_an_address_that_is_refused_is_final_and_one_that_is_put_off_is_not():
    with postoffice.opened() as office:
        office.rcpt = "550 no such user here"
        with pytest.raises(MailError, match="refused the address: 550 no such user here") as refused:
            office.mailer().send(LETTER)
        assert refused.value.is_final
        office.rcpt = "450 come back later"
        with pytest.raises(MailError, match="450 come back later") as refused:
            office.mailer().send(LETTER)
        assert not refused.value.is_final
        office.rcpt, office.data = "", "554 this is spam"
        with pytest.raises(MailError, match="refused the message: 554") as refused:
            office.mailer().send(LETTER)
        assert refused.value.is_final
    assert office.letters == []


def test_a_server_that_is_away_is_named_and_may_come_back():
    port = postoffice.free_port()
    with pytest.raises(MailError, match=rf"127\.0\.0\.1:{port} does not answer") as refused:
        postoffice.PostOffice(port).mailer().send(LETTER)
    assert not refused.value.is_final


@pytest.mark.parametrize("address", ["a@b@c", "a,b@lab.example", "<x>@lab.example", 'a"b@lab.example'])
def test_an_address_that_no_mail_can_have_is_final(address):
    with postoffice.opened() as office, pytest.raises(MailError) as refused:
        office.mailer().send(Letter(address, "x", "x", "x"))
    assert refused.value.is_final
    assert office.letters == []


def test_a_subject_cannot_smuggle_in_a_header():
    with postoffice.opened() as office:
        office.mailer().send(Letter("grace@lab.example", "Hello\nBcc: eve@elsewhere.example", "x", "x"))
    assert office.letters[0]["Bcc"] is None


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_user_name_and_password_travel_over_tls_and_are_checked(tmp_path, monkeypatch, security):
    context, trusted = postoffice.certificate(tmp_path)
    options = {"authenticator": postoffice.knows("webmacs", "open sesame"), "auth_required": True}
    options |= {"tls_context": context, "require_starttls": True} if security == "starttls" else {}
    if security == "tls":
        options |= {"ssl_context": context, "auth_require_tls": False}
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with postoffice.opened(**options) as office:
        right = {"security": security, "username": "webmacs", "password": "open sesame"}
        office.mailer(**right).send(LETTER)
        with pytest.raises(MailError, match="refused the user name or password: 535") as refused:
            office.mailer(**right | {"password": "a wrong secret"}).send(LETTER)
        assert "a wrong secret" not in str(refused.value)
        assert not refused.value.is_final
    assert len(office.letters) == 1


def test_a_certificate_that_nobody_vouches_for_is_not_accepted(tmp_path):
    context, _ = postoffice.certificate(tmp_path)
    with (
        postoffice.opened(tls_context=context) as office,
        pytest.raises(MailError, match=r"(?i)certificate") as refused,
    ):
        office.mailer(security="starttls").send(LETTER)
    assert not refused.value.is_final
    assert office.letters == []


def test_a_server_without_tls_is_not_talked_to_in_the_open_when_tls_is_wanted():
    with postoffice.opened() as office, pytest.raises(MailError):
        office.mailer(security="starttls").send(LETTER)
    assert office.letters == []


def test_the_password_is_not_shown_with_the_mailer():
    assert "sesame" not in repr(postoffice.PostOffice(25).mailer(password="open sesame"))
