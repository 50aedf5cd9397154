"""Typical mistakes in the exercise of the chapter on one's own data."""

WRONG = {
    "compared with the row before, kept or not": (
        """
import pandas as pd


def without_resends(events, gap):
    gaps = events.groupby(["user", "item"])["time"].diff()
    return events[~(gaps < gap)]
""",
        "compare with the last one kept",
    ),
    "forgot the user": (
        """
import numpy as np
import pandas as pd


def without_resends(events, gap):
    last, keep = {}, []
    for item, time in zip(events["item"], events["time"], strict=True):
        fresh = time - last.get(item, -np.inf) >= gap
        if fresh:
            last[item] = time
        keep.append(fresh)
    return events[np.array(keep)]
""",
        "another user or another item is no resend",
    ),
    "one second too strict": (
        """
import numpy as np
import pandas as pd


def without_resends(events, gap):
    last, keep = {}, []
    rows = zip(events["user"], events["item"], events["time"], strict=True)
    for user, item, time in rows:
        fresh = time - last.get((user, item), -np.inf) > gap
        if fresh:
            last[user, item] = time
        keep.append(fresh)
    return events[np.array(keep)]
""",
        "exactly gap seconds later stays",
    ),
    "numbered the rows anew": (
        """
import numpy as np
import pandas as pd


def without_resends(events, gap):
    last, keep = {}, []
    rows = zip(events["user"], events["item"], events["time"], strict=True)
    for user, item, time in rows:
        fresh = time - last.get((user, item), -np.inf) >= gap
        if fresh:
            last[user, item] = time
        keep.append(fresh)
    found = events[np.array(keep)].copy()
    found.index = [9, 5, 3, 1, 0][::-1]
    return found
""",
        "order and index stay",
    ),
}
