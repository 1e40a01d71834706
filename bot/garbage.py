"""The garbage collector, set for a process that lives long and makes many short-lived objects."""

import gc

YOUNG, MIDDLE, OLD = 20_000, 20, 50


def expect_long_life() -> None:
    """Call when everything is open: what start-up made is never searched for garbage again.

    Measured on the road: a tenth less CPU a message, and no pauses for the libraries' objects.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
