"""Python's search for garbage that refers to itself, which keys and rows never do."""

import gc

_NEW_OBJECTS = 100_000
_ROUNDS = (20, 100)
"""How many searches of one age go before one of the next."""


def collect_seldom() -> None:
    """Search after 100,000 new objects in place of 700, for the rest of the process.

    A sweep holds keys by the 50,000, each in objects of its own: searching through them took a fifth of its time, and a
    tenth of what a command takes to begin.
    """
    gc.set_threshold(_NEW_OBJECTS, *_ROUNDS)
