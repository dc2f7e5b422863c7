"""How many threads a computation may use on this machine."""

import os


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_count(wanted: int) -> int:
    """The wanted number of threads; 0 means every core."""
    return wanted or cores()
