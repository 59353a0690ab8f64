"""Mails are sent once, tried again while the server is away, and given up after a day."""

import logging
import threading
from datetime import timedelta
from types import SimpleNamespace

import pytest
import time_machine
from click.testing import CliRunner
from sqlalchemy import select

from tests import postoffice
from webmacs.cli import build
from webmacs.core import clock
from webmacs.core.db import db
from webmacs.core.jobs import queue
from webmacs.features.invitations import operations as invitations
from webmacs.features.invitations.schemas import InvitationIn
from webmacs.features.mails import decide, jobs, operations, queries
from webmacs.features.mails.models import Mail
from webmacs.settings import Settings, SettingsError

NEW = "grace@lab.example"


def _invite(lab, ada, email=NEW):
    with lab.arrival():
        made, code = invitations.invite(ada.actor, InvitationIn(email=email), by_mail=True)
    assert code is None
    return made


def _mail(lab):
    with lab.arrival(write=False):
        return SimpleNamespace(**db.session.execute(select(Mail.__table__)).mappings().one())


def test_a_mail_is_rung_for_after_the_commit_and_sent_once(app, lab, ada, post):
    before = queue(app).count
    _invite(lab, ada)
    assert queue(app).count == before + 1
    public_id = _mail(lab).public_id
    with app.app_context():
        for _ in range(3):
            jobs.send(public_id)
    assert [letter["To"] for letter in post.letters] == [NEW]
    assert (_mail(lab).state, _mail(lab).attempts, _mail(lab).error) == ("sent", 1, None)


def test_a_mail_whose_cause_was_undone_is_never_sent(lab, ada, post):
    class OtherError(Exception):
        pass

    def invite_and_fail():
        with lab.arrival():
            invitations.invite(ada.actor, InvitationIn(email=NEW), by_mail=True)
            raise OtherError

    with pytest.raises(OtherError):
        invite_and_fail()
    lab.send_mails()
    assert post.letters == []


def test_jobs_that_come_together_send_one_letter(app, lab, ada, post):
    _invite(lab, ada)
    public_id = _mail(lab).public_id

    def run():
        with app.app_context():
            jobs.send(public_id)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(post.letters) == 1


def test_a_server_that_is_away_and_comes_back_gets_the_mail_once(app, lab, ada, post):
    port = postoffice.free_port()
    app.extensions["webmacs.mailer"] = postoffice.PostOffice(port).mailer()
    _invite(lab, ada)
    start = clock.now()
    for minutes in (0, 1, 3):
        with time_machine.travel(start + timedelta(minutes=minutes), tick=False):
            lab.send_mails()
            lab.send_mails()  # not due again at once
    mail = _mail(lab)
    assert (mail.state, mail.attempts) == ("waiting", 3)
    assert "does not answer" in mail.error
    with postoffice.opened(port) as office, time_machine.travel(start + timedelta(minutes=10), tick=False):
        lab.send_mails()
        lab.send_mails()
    assert len(office.letters) == 1
    assert (_mail(lab).state, _mail(lab).error) == ("sent", None)


def test_a_mail_is_given_up_after_a_day(app, lab, ada, post):
    post.rcpt = "450 come back later"
    start = clock.now()
    _invite(lab, ada)
    for hours in range(30):
        with time_machine.travel(start + timedelta(hours=hours), tick=False):
            lab.send_mails()
    mail = _mail(lab)
    assert mail.state == "failed"
    assert "450 come back later" in mail.error
    assert mail.finished_on - mail.created_on <= timedelta(days=1)


def test_a_refused_address_is_told_at_once_on_the_users_page(lab, ada, post, browser_as):
    post.rcpt = "550 no such user here"
    _invite(lab, ada)
    assert "On its way" in browser_as(ada).visit("/users").text
    lab.send_mails()
    assert _mail(lab).state == "failed"
    assert "550 no such user here" in browser_as(ada).visit("/users").text


def test_the_job_of_a_died_worker_is_taken_over(app, lab, ada, post):
    _invite(lab, ada)
    public_id = _mail(lab).public_id
    with lab.arrival():
        assert operations.claim(public_id) is not None
    lab.send_mails()
    assert post.letters == []
    with time_machine.travel(clock.now() + queries.DEAD_AFTER + timedelta(seconds=1), tick=False):
        lab.send_mails()
    assert len(post.letters) == 1


def test_what_is_over_before_it_is_written_is_dropped(lab, ada, post):
    made = _invite(lab, ada)
    with lab.arrival():
        invitations.revoke(ada.actor, made.public_id)
    lab.send_mails()
    assert (post.letters, _mail(lab).state) == ([], "dropped")


def test_neither_code_nor_password_get_into_the_log(app, lab, ada, post, caplog):
    with caplog.at_level(logging.DEBUG):
        _invite(lab, ada)
        post.data = "451 later"
        app.extensions["webmacs.mailer"] = post.mailer(password="open sesame")
        lab.send_mails()
        post.data = ""
        with time_machine.travel(clock.now() + timedelta(minutes=5), tick=False):
            lab.send_mails()
    (letter,) = post.letters
    code = letter.get_body(("plain",)).get_content().partition("#")[2].split()[0]
    assert len(code) == 64
    said = " ".join(record.getMessage() for record in caplog.records if not record.name.startswith("mail."))  # ours
    assert "451 later" in said
    assert code not in said
    assert "sesame" not in said
    with lab.arrival(write=False):
        for table in db.metadata.sorted_tables:
            assert code not in str(db.session.execute(select(table)).all()), table.name


def test_old_mails_are_forgotten(app, lab, ada, post):
    _invite(lab, ada)
    lab.send_mails()
    with time_machine.travel(clock.now() + operations.KEPT + timedelta(days=1), tick=False), app.app_context():
        jobs.sweep()
    with lab.arrival(write=False):
        assert db.session.scalars(select(Mail)).all() == []


def test_the_sweep_rings_for_what_was_left_behind(app, lab, ada, post):
    _invite(lab, ada)
    before = queue(app).count
    with app.app_context():
        jobs.sweep()
    assert queue(app).count == before + 1


def test_the_waits_grow_to_an_hour_and_end_after_a_day():
    now = clock.now()
    waits = [decide.next_try(now, now, attempts) - now for attempts in range(1, 12)]
    assert waits[:3] == [timedelta(seconds=30), timedelta(minutes=1), timedelta(minutes=2)]
    assert waits[-1] == timedelta(hours=1)
    assert decide.next_try(now, now + timedelta(hours=23, minutes=30), 30) is None


# --- settings and the command -----------------------------------------------------------------------------------------


def test_a_mail_server_needs_a_sender_and_an_address_for_links():
    with pytest.raises(SettingsError, match=r"^SMTP_HOST: .*SMTP_FROM"):
        Settings.from_environment({"SMTP_HOST": "mail", "WEBMACS_PUBLIC_URL": "https://lab.example"})
    with pytest.raises(SettingsError, match=r"^SMTP_HOST: .*WEBMACS_PUBLIC_URL"):
        Settings.from_environment({"SMTP_HOST": "mail", "SMTP_FROM": "a@b.example"})
    with pytest.raises(SettingsError, match=r"^SMTP_FROM: "):
        Settings.from_environment({"SMTP_FROM": "nobody"})
    with pytest.raises(SettingsError, match=r"^SMTP_SECURITY: "):
        Settings.from_environment({"SMTP_SECURITY": "perhaps"})


@pytest.mark.any_database
def test_the_command_sends_a_test_or_says_why_not(app, post, monkeypatch):
    run = CliRunner().invoke
    command = build(lambda _settings: app, lambda _app: None)
    sent = run(command, ["mail", "test", "--to", NEW])
    assert (sent.exit_code, sent.output) == (0, f"127.0.0.1 took the mail to {NEW}.\n")
    assert "https://lab.example" in post.letters[0].get_body(("plain",)).get_content()
    post.rcpt = "550 no such user here"
    refused = run(command, ["mail", "test", "--to", NEW])
    assert refused.exit_code == 1
    assert "550 no such user here" in refused.output
    app.extensions["webmacs.mailer"] = None
    assert "SMTP_HOST is empty" in run(command, ["mail", "test", "--to", NEW]).output
