"""The service: its endpoints in this process, and once over the loopback."""

import subprocess
import sys
import warnings

import httpx
import pytest

from recsys_tutorial import serving
from recsys_tutorial.pipeline import Pipeline
from recsys_tutorial.serving import create_app, main, served
from tests.test_pipeline import folder, models  # noqa: F401


@pytest.fixture
def client(folder):  # noqa: F811
    with warnings.catch_warnings():  # starlette would rather have httpx2
        warnings.simplefilter("ignore")
        from fastapi.testclient import TestClient

    return TestClient(create_app(Pipeline(folder, candidates=12)))


def test_health(client):
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "items": 30}


def test_a_recommendation(client):
    answer = client.post("/recommend", json={"user": "user 3", "k": 4})
    assert answer.status_code == 200
    assert answer.json()["road"] == "known user"
    assert len(answer.json()["items"]) == 4


def test_a_stranger_takes_the_road_of_new_users(client):
    answer = client.post("/recommend", json={"user": "nobody we know"}).json()
    assert answer["road"] == "new user"
    assert len(answer["items"]) == 10


def test_an_event_counts_for_the_next_request(client):
    body = {"user": "nobody", "item": "film 4", "liked": True, "time": 5000}
    assert client.post("/events", json=body).status_code == 200
    ask = {"user": "nobody", "k": 12, "time": 5001}
    answer = client.post("/recommend", json=ask).json()
    assert answer["road"] == "known user"
    assert "film 4" not in answer["items"]


GOOD = {"user": "user 3", "item": "film 4", "liked": True, "time": 9000}


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("recommend", {"user": "user 3", "k": 13}, "k is 13; expected 1 to 12"),
        ("recommend", {"user": "user 3", "k": 0}, "k is 0"),
        ("recommend", {"user": "user 3", "k": "4"}, "k: "),
        ("recommend", {"user": 3}, "user: "),
        ("recommend", {"user": ""}, "user: "),
        ("recommend", {"k": 3}, "user: Field required"),
        ("recommend", {"user": "user 3", "time": -1}, "time: "),
        ("recommend", {"user": "user 3", "top": 3}, "top: "),
        ("recommend", [], "the body: "),
        ("events", GOOD | {"item": "film 99"}, "'film 99' is not in the catalogue"),
        ("events", GOOD | {"time": 1}, "before the latest event"),
        ("events", GOOD | {"liked": 5}, "liked: "),
        ("events", {"user": "user 3"}, "item: Field required"),
    ],
)
def test_a_bad_request_gets_422_and_one_sentence(client, path, body, says):
    answer = client.post(f"/{path}", json=body)
    assert answer.status_code == 422
    sentence = answer.json()["detail"]
    assert says in sentence
    assert "\n" not in sentence
    assert "refused_total 1.0" in client.get("/metrics").text


def test_what_is_no_json_gets_422(client):
    answer = client.post(
        "/recommend", content=b"{", headers={"content-type": "application/json"}
    )
    assert answer.status_code == 422
    assert isinstance(answer.json()["detail"], str)


def test_prometheus_is_told_of_roads_and_stages(client):
    for user in ("user 3", "user 3", "nobody"):
        client.post("/recommend", json={"user": user})
    text = client.get("/metrics").text
    assert 'answers_total{road="known user"} 2.0' in text
    assert 'answers_total{road="new user"} 1.0' in text
    assert 'stage_seconds_count{stage="rank"} 2.0' in text
    assert "cache_hits 1.0" in text  # the second time, nothing had happened


def test_two_services_count_apart(folder):  # noqa: F811
    for _ in range(2):
        create_app(Pipeline(folder))  # prometheus refuses a name that it knows


def test_over_the_loopback_and_then_it_is_gone(folder):  # noqa: F811
    with served(folder, "--candidates", "12") as address:
        assert address.startswith("http://127.0.0.1:")
        with httpx.Client(base_url=address, timeout=30, trust_env=False) as client:
            assert client.get("/health").json()["items"] == 30
            known = client.post("/recommend", json={"user": "user 3", "k": 12})
            assert known.json()["road"] == "known user"
            assert client.post("/recommend", json={"k": 1}).status_code == 422
            assert "answers_total" in client.get("/metrics").text
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/health", timeout=5, trust_env=False)


def test_a_test_that_fails_leaves_no_server_behind(folder, monkeypatch):  # noqa: F811
    started = []

    class Noted(subprocess.Popen):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            started.append(self)

    monkeypatch.setattr(serving.subprocess, "Popen", Noted)
    with pytest.raises(RuntimeError, match="a failing test"), served(folder):
        raise RuntimeError("a failing test")
    assert started[0].poll() is not None


def test_a_folder_that_is_none_ends_it_with_a_sentence(tmp_path, capsys):
    assert main([str(tmp_path), "--port", "0"]) == 1
    assert "pipeline.json is not there" in capsys.readouterr().err
    with (
        pytest.raises(RuntimeError, match=r"it said: .*pipeline\.json is not there"),
        served(tmp_path),
    ):
        pass


@pytest.mark.parametrize("missing", ["fastapi", "prometheus_client"])
def test_a_missing_library_is_a_sentence(folder, monkeypatch, missing):  # noqa: F811
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install fastapi uvicorn"):
        create_app(Pipeline(folder))
