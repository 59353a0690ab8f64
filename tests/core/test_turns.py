"""Whose turn it is to write to SQLite."""

import threading
import time

from webmacs.core.db import Turns

PATIENCE = 20.0  # seconds


def waiter(turns, came):
    """A thread that waits for its turn, notes that it came, and gives it on."""

    def wait():
        if turns.take(PATIENCE):
            came.append(threading.current_thread().name)
            turns.give()

    thread = threading.Thread(target=wait)
    thread.start()
    while thread.is_alive() and len(turns._waiting) == 0:
        time.sleep(0.001)
    return thread


def test_when_the_places_are_taken_a_turn_that_lasts_is_not_waited_for():
    turns, came = Turns(), []
    assert turns.take(PATIENCE)
    first = waiter(turns, came)
    began = time.monotonic()
    assert not turns.take(PATIENCE, places=1)  # it gets a moment, since a usual turn would end soon
    assert time.monotonic() - began < PATIENCE / 2
    began = time.monotonic()
    assert not turns.take(PATIENCE, places=1)  # by now it is known that this turn lasts
    assert time.monotonic() - began < 0.5
    assert came == []
    turns.give()
    first.join()
    assert came == [first.name]
    assert turns.take(0.0)


def test_when_the_places_are_taken_usual_turns_are_waited_for():
    turns, came = Turns(), []
    assert turns.take(PATIENCE)
    first = waiter(turns, came)
    threading.Timer(0.1, turns.give).start()
    assert turns.take(PATIENCE, places=1)
    assert came == [first.name]
    turns.give()
