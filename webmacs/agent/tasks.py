"""Loops that have to go on: a mistake in one of them is logged and must not end the controller."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger(__name__)

LONGEST_PAUSE = 60.0
# A loop that ran this long before it failed starts over with the shortest pause.
CALM_SECONDS = 60.0


async def keep_running(name: str, loop: Callable[[], Awaitable[None]], first_pause: float = 1.0) -> None:
    """Run an endless loop; when it raises, log it and start it again after 1, 2, 4 … at most 60 seconds."""
    clock = asyncio.get_running_loop().time
    pause = first_pause
    while True:
        started = clock()
        try:
            await loop()
        except Exception:  # whatever is wrong in one loop, the others and its next try go on
            if clock() - started > CALM_SECONDS:
                pause = first_pause
            log.exception("a loop of the controller failed", loop=name, next_try_seconds=pause)
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
