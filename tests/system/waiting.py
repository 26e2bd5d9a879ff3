"""Waiting for a condition: the only kind of waiting in these tests."""

import os
import time

# How much slower this machine is than one whose processor isn't emulated.
TIME_SCALE = float(os.environ.get("WAFER_TIME_SCALE", "1"))
# Far beyond what any wait takes; a build with sanitizers is slow.
DEADLINE_S = 60 * TIME_SCALE
STEP_S = 0.01


def wait_for(condition, what, deadline_s=DEADLINE_S):
    """Returns the condition's first true value; fails the test without one.

    `what` says what was waited for: a text, or a function that returns it.
    """
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            text = what() if callable(what) else what
            raise AssertionError(f"not in {deadline_s} s: {text}")
        time.sleep(STEP_S)
