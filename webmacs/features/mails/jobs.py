"""Sending in the background: claim, write, hand over, settle."""

import logging
from collections.abc import Callable, Mapping

from flask import current_app

from webmacs.core import jobs
from webmacs.core.db import transaction
from webmacs.features.mails import operations, queries
from webmacs.features.mails.facts import MailQueued
from webmacs.gateways.mail import Letter, MailError
from webmacs.web.letters import mailer

NO_SERVER = "No mail server is set (SMTP_HOST)."
BROKEN = "Something broke while it was written; the server's log tells more."

Writer = Callable[[str], Letter | None]
log = logging.getLogger(__name__)


def ring(fact: MailQueued) -> None:
    """Wake the worker for a mail."""
    if mailer() is not None:
        jobs.enqueue(send, fact.public_id)


def send(public_id: str) -> None:
    """Send a mail, unless another job is at it or it is over."""
    with transaction():
        task = operations.claim(public_id)
    if task is None:
        return
    writers: Mapping[str, Writer] = current_app.extensions["webmacs.letters"]
    server = mailer()
    try:
        with transaction():
            letter = writers[task.kind](task.about) if server is not None else None
        if letter is not None and server is not None:
            server.send(letter)
    except MailError as refused:
        log.warning("mail %s (%s) was not sent: %s", public_id, task.kind, refused)
        with transaction():
            if refused.is_final:
                operations.settle(task, "failed", str(refused))
            else:
                operations.postpone(task, str(refused))
    except Exception:
        with transaction():
            operations.postpone(task, BROKEN)
        raise
    else:
        state = "failed" if server is None else "dropped" if letter is None else "sent"
        with transaction():
            operations.settle(task, state, NO_SERVER if server is None else None)


def sweep() -> None:
    """Ring again for mails that are due, and forget those that ended long ago."""
    if mailer() is None:
        return
    with transaction():
        operations.forget_old()
    with transaction(write=False):
        due = queries.due()
    for public_id in due:
        jobs.enqueue(send, public_id)
