"""Properties are tested without a clock, and on one thread: machines are busy."""

import torch
from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_configure():
    """One thread for each process: steps this small only wait for a second one."""
    torch.set_num_threads(1)
