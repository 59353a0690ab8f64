"""What the supervisor says when it cannot go on, and how it learns that it should stop."""


class CannotRunError(Exception):
    """WebMACS cannot run; the message tells the reader what is wrong and what to do."""


class StopRequestedError(Exception):
    """Somebody asked WebMACS to stop while it was still starting."""
