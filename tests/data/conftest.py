"""A cache folder of its own for each test that asks for one."""

import pytest


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder, named by the environment variable."""
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setenv("RECSYS_TUTORIAL_DATA", str(folder))
    return folder
