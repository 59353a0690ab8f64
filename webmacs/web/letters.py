"""Letters: texts for mails, from templates/mail; and whether mails can be sent at all."""

from typing import Any

from flask import current_app

from webmacs.gateways.mail import Letter, Mailer


def mailer() -> Mailer | None:
    """The mail server of the settings, None when there is none."""
    installed: Mailer | None = current_app.extensions["webmacs.mailer"]
    return installed


def can_send() -> bool:
    """Whether mails leave this installation: it has a mail server, and may have the worker that sends them."""
    return mailer() is not None and bool(current_app.config["REDIS_URL"])


def link(path: str, code: str) -> str:
    """The address in a letter of a page that takes a one-time code.

    The code stands behind #, which no server and no log ever sees; the host is the one of the settings, never one that
    a request named.
    """
    return f"{current_app.config['PUBLIC_URL']}{path}#{code}"


def letter(to: str, name: str, /, **context: Any) -> Letter:
    """The letter of `mail/<name>.txt`, whose first line is the subject, and `mail/<name>.html`."""
    known = context | {"address": current_app.config["PUBLIC_URL"]}
    plain = current_app.jinja_env.overlay(autoescape=False).get_template(f"mail/{name}.txt").render(known)
    subject, _, text = plain.partition("\n")
    html = current_app.jinja_env.get_template(f"mail/{name}.html").render(known | {"subject": subject})
    return Letter(to, subject, text.lstrip("\n"), html)
