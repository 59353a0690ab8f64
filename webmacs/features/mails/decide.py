"""When a mail is tried again."""

from datetime import datetime, timedelta

GIVEN_UP_AFTER = timedelta(days=1)
FIRST, LONGEST = timedelta(seconds=30), timedelta(hours=1)


def next_try(created_on: datetime, now: datetime, attempts: int) -> datetime | None:
    """The moment after `attempts` failed ones: 30 s later, then twice as long each time, an hour at most.

    None when a day would be over by then: nobody waits for the mail any more.
    """
    due = now + min(LONGEST, FIRST * 2 ** min(attempts - 1, 20))
    return due if due - created_on < GIVEN_UP_AFTER else None
