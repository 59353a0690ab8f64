"""The door to the mail server. Its password is installed once by the factory and never leaves this module."""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, make_msgid, parseaddr

PATIENCE = 20.0  # seconds for each step of the conversation
LONGEST = 300  # characters of what a server said that are kept


@dataclass(frozen=True)
class Letter:
    """A message that is ready to be sent: plain text, and the same as HTML."""

    to: str
    subject: str
    text: str
    html: str


class MailError(Exception):
    """A letter was not taken; `str()` says why. `is_final`: trying again would change nothing."""

    def __init__(self, sentence: str, *, is_final: bool = False) -> None:
        super().__init__(sentence)
        self.is_final = is_final


@dataclass(frozen=True)
class Mailer:
    """One mail server (SMTP). `security` is starttls, tls or none."""

    host: str
    port: int
    security: str
    sender: str
    username: str = ""
    password: str = field(default="", repr=False)

    def send(self, letter: Letter) -> None:
        """Hand a letter over; when it returns the server has taken it. Raises `MailError`."""
        with self._explained():
            message = self._message(letter)
            with self._connected() as server:
                server.send_message(message)

    def _message(self, letter: Letter) -> EmailMessage:
        domain = self._domain()
        message = EmailMessage()
        message["From"] = self.sender
        message["To"] = Address(addr_spec=letter.to)
        message["Subject"] = " ".join(letter.subject.split())
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=domain)
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: keeps holiday notices from answering
        message.set_content(letter.text)
        message.add_alternative(letter.html, subtype="html")
        return message

    def _domain(self) -> str:
        return parseaddr(self.sender)[1].partition("@")[2] or "localhost"

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        # named, because asking the machine for its own name may take as long as a name server is away
        name = self._domain()
        if self.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self.host, self.port, local_hostname=name, timeout=PATIENCE, context=ssl.create_default_context()
            )
        else:
            server = smtplib.SMTP(self.host, self.port, local_hostname=name, timeout=PATIENCE)
        with server:
            if self.security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if self.username:
                server.login(self.username, self.password)
            yield server

    @contextmanager
    def _explained(self) -> Iterator[None]:
        where = f"{self.host}:{self.port}"
        try:
            yield
        except smtplib.SMTPRecipientsRefused as refused:
            code, said = next(iter(refused.recipients.values()))
            raise MailError(f"{where} refused the address: {_words(code, said)}", is_final=code >= 500) from None
        except smtplib.SMTPAuthenticationError as refused:
            raise MailError(
                f"{where} refused the user name or password: {_words(refused.smtp_code, refused.smtp_error)}"
            ) from None
        except smtplib.SMTPDataError as refused:
            words = _words(refused.smtp_code, refused.smtp_error)
            raise MailError(f"{where} refused the message: {words}", is_final=refused.smtp_code >= 500) from None
        except smtplib.SMTPResponseException as refused:
            raise MailError(f"{where} said no: {_words(refused.smtp_code, refused.smtp_error)}") from None
        except (smtplib.SMTPException, OSError) as away:  # before ValueError: a bad certificate is both
            raise MailError(f"{where} does not answer as a mail server should: {away}") from None
        except (MessageError, ValueError, IndexError) as unfit:
            raise MailError(f"this cannot be sent by mail: {unfit}", is_final=True) from None


def _words(code: int, said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return f"{code} {' '.join(text.split())}"[:LONGEST]
