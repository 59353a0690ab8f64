"""The HTTP client: bearer token, time limits, and the retries of the controller's side of the API."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import structlog

from webmacs.agent.clock import Clock
from webmacs.agent.credentials import Credentials

log = structlog.get_logger(__name__)

LONGEST_PAUSE = 60.0


class ServerError(Exception):
    """The server did not do what was asked; trying again later may help."""


class UnreachableError(ServerError):
    """No usable answer: connection refused, time-out, 5xx, 429, or an answer that is not ours."""


class UnauthorizedError(ServerError):
    """There is no API token, or the server does not accept it."""


class RefusedError(ServerError):
    """The server understood and said no (4xx other than 401 and 429); the same request will be refused again."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status


class _AttemptError(Exception):
    """One attempt failed in a way that the next one may not; `pause` is the server's own wish in seconds."""

    def __init__(self, reason: str, pause: float | None = None) -> None:
        super().__init__(reason)
        self.pause = pause


@dataclass(frozen=True)
class Patience:
    """How long the client waits, in seconds. `pause` doubles with each attempt; `locked_out` follows a 401."""

    answer: float = 10.0
    connect: float = 5.0
    pause: float = 1.0
    locked_out: float = 10.0


class Client:
    """Speaks to `/api/v1` of one server and returns parsed JSON.

    Every method raises `UnreachableError`, `UnauthorizedError` or `RefusedError`.
    """

    def __init__(
        self, server_url: str, credentials: Credentials, clock: Clock, patience: Patience | None = None
    ) -> None:
        self._credentials = credentials
        self._clock = clock
        self._patience = patience or Patience()
        self._locked_until = 0.0
        # trust_env off: a proxy named in the environment is for the internet, the server is next door.
        self._http = httpx.AsyncClient(
            base_url=f"{server_url.rstrip('/')}/api/v1/",
            timeout=httpx.Timeout(self._patience.answer, connect=self._patience.connect),
            headers={"User-Agent": "webmacs-agent", "Accept": "application/json"},
            trust_env=False,
            follow_redirects=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def get(self, path: str, *, params: dict[str, int] | None = None, attempts: int = 3) -> Any:
        """GET `path`, relative to `/api/v1`."""
        return await self._request(self._http.build_request("GET", path, params=params), attempts)

    async def post(self, path: str, body: Any, *, attempts: int = 3) -> Any:
        """POST `body` as JSON."""
        return await self._request(self._http.build_request("POST", path, json=body), attempts)

    async def put(self, path: str, body: Any, *, attempts: int = 3) -> Any:
        """PUT `body` as JSON."""
        return await self._request(self._http.build_request("PUT", path, json=body), attempts)

    async def _request(self, request: httpx.Request, attempts: int) -> Any:
        self._admit()
        answer = await self._persist(request, attempts)
        if answer.status_code == httpx.codes.UNAUTHORIZED and self._credentials.renew():
            answer = await self._persist(request, attempts)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise self._lock_out()
        self._locked_until = 0.0
        return _content(answer)

    def _admit(self) -> None:
        """Let a request through, unless there is no token or the server refused this same one a moment ago."""
        unusable = self._locked_until > 0.0 or not self._credentials.token
        if not unusable or self._credentials.renew():
            return
        if time.monotonic() < self._locked_until:
            raise UnauthorizedError("there is no API token that the server accepts")
        if not self._credentials.token:
            raise self._lock_out()

    def _lock_out(self) -> UnauthorizedError:
        source = self._credentials.source
        if self._credentials.token:
            reason = f"the server does not accept the API token of {source}"
        else:
            reason = f"there is no API token: {source} is missing or empty"
        log.error(reason, next_try_seconds=self._patience.locked_out)
        self._locked_until = time.monotonic() + self._patience.locked_out
        return UnauthorizedError(reason)

    async def _persist(self, request: httpx.Request, attempts: int) -> httpx.Response:
        pause = self._patience.pause
        for attempt in range(1, attempts + 1):
            try:
                return await self._send(request)
            except _AttemptError as failed:
                if attempt == attempts:
                    what = f"{request.method} {request.url.path}"
                    raise UnreachableError(f"{what} failed after {attempts} attempts: {failed}") from failed
                await asyncio.sleep(min(pause if failed.pause is None else failed.pause, LONGEST_PAUSE))
                pause *= 2
        raise ValueError("attempts must be at least 1")

    async def _send(self, request: httpx.Request) -> httpx.Response:
        request.headers["Authorization"] = f"Bearer {self._credentials.token}"
        sent = self._clock.now()
        try:
            # httpx limits each read; the whole answer has to come in time too, else a trickle holds us for ever.
            async with asyncio.timeout(2 * self._patience.answer):
                answer = await self._http.send(request)
        except (httpx.TimeoutException, TimeoutError) as failed:
            raise _AttemptError(f"no answer in time ({type(failed).__name__})") from failed
        except httpx.HTTPError as failed:
            raise _AttemptError(str(failed) or type(failed).__name__) from failed
        self._clock.observe(answer.headers.get("Date"), sent, self._clock.now())
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS or answer.is_server_error:
            raise _AttemptError(f"the server answered {answer.status_code}", _retry_after(answer))
        return answer


def _content(answer: httpx.Response) -> Any:
    """The JSON of a 2xx; everything else is raised."""
    try:
        content = answer.json()
    except ValueError:
        content = None
    if answer.is_client_error:
        detail = content.get("detail") if isinstance(content, dict) else None
        raise RefusedError(answer.status_code, str(answer.reason_phrase if detail is None else detail)[:500])
    if not answer.is_success or content is None:
        path = answer.request.url.path
        raise UnreachableError(f"{path} answered {answer.status_code} without JSON; is WEBMACS_SERVER_URL right?")
    return content


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds that a Retry-After header asks for (a number or a date); None without one."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
