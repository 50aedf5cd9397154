"""A pipeline behind an address: ``python -m recsys_tutorial.serving FOLDER``.

``POST /recommend`` and ``POST /events`` take JSON; ``GET /health`` says that the
service is there, ``GET /metrics`` counts for Prometheus. What cannot be answered gets
status 422 and one sentence.
"""

import argparse
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recsys_tutorial.pipeline import STAGES, BadRequest, Pipeline

HOST = "127.0.0.1"  # this machine alone
BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # seconds


def create_app(pipeline: Pipeline):
    """The FastAPI application that answers from `pipeline`.

    The endpoints run one after the other: a request is all computing and no waiting,
    so that two at a time on one core would only slow each other down.

    Raises
    ------
    ModuleNotFoundError
        If fastapi or prometheus_client is not installed; the sentence says how to.
    """
    try:
        import prometheus_client as prometheus
        from fastapi import FastAPI, Response
        from fastapi.exceptions import RequestValidationError
        from fastapi.responses import JSONResponse
        from pydantic import BaseModel, ConfigDict, Field
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"the service needs {error.name}, which is not installed here: "
            "pip install fastapi uvicorn prometheus-client"
        ) from None

    class Request(BaseModel):
        model_config = ConfigDict(extra="forbid", strict=True)
        user: str = Field(min_length=1, max_length=200)
        k: int = 10
        time: int | None = Field(None, ge=0)

    class Event(BaseModel):
        model_config = ConfigDict(extra="forbid", strict=True)
        user: str = Field(min_length=1, max_length=200)
        item: str
        liked: bool
        time: int = Field(ge=0)

    registry = prometheus.CollectorRegistry()
    answers = prometheus.Counter("answers", "by road", ["road"], registry=registry)
    refused = prometheus.Counter("refused", "answered with 422", registry=registry)
    events = prometheus.Counter("events", "events told", registry=registry)
    seconds = prometheus.Histogram(
        "stage_seconds", "by stage", ["stage"], buckets=BUCKETS, registry=registry
    )
    for stage in STAGES:
        seconds.labels(stage)
    hits = prometheus.Gauge("cache_hits", "user vectors reused", registry=registry)
    hits.set_function(lambda: pipeline.hits)
    app = FastAPI(title="recsys_tutorial", docs_url=None, redoc_url=None)

    def refuse(sentence: str) -> JSONResponse:
        refused.inc()
        return JSONResponse({"detail": sentence}, status_code=422)

    @app.exception_handler(BadRequest)
    async def bad_request(_, error):
        return refuse(str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(_, error):
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "body")
        return refuse(f"{where or 'the body'}: {first['msg']}")

    @app.get("/health")
    async def health():
        return {"status": "ok", "items": len(pipeline.items) - 1}

    @app.get("/metrics")
    async def metrics():
        content = prometheus.generate_latest(registry)
        return Response(content, media_type=prometheus.CONTENT_TYPE_LATEST)

    @app.post("/recommend")
    async def recommend(request: Request):
        answer = pipeline.recommend(request.user, request.k, request.time)
        answers.labels(answer.road).inc()
        for stage, value in answer.seconds.items():
            seconds.labels(stage).observe(value)
        return answer._asdict()

    @app.post("/events")
    async def event(event: Event):
        pipeline.add(event.user, event.item, event.liked, event.time)
        events.inc()
        return {"status": "ok"}

    return app


@contextmanager
def served(folder: str | Path, *options: str, patience: float = 60) -> Iterator[str]:
    """Run the service in a process of its own; gives its address, and ends it after.

    Parameters
    ----------
    folder : path
        Of `save_pipeline`.
    *options : str
        As on the command line; the port is a free one, unless ``--port`` is given.
    patience : float
        Seconds within which it has to be up.

    Raises
    ------
    RuntimeError
        If it does not come up; with the last line of what it said.
    """
    import threading

    command = [sys.executable, "-m", "recsys_tutorial.serving", str(folder)]
    here = str(Path(__file__).parents[1])
    paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        [*command, "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    )
    timer = threading.Timer(patience, process.kill)
    timer.start()
    try:
        line = process.stdout.readline()  # empty when it ends, or is ended
        timer.cancel()
        if not line:
            said = process.communicate()[1].strip().splitlines() or ["nothing"]
            raise RuntimeError(f"the service did not come up; it said: {said[-1]}")
        yield line.split()[-1]
    finally:
        timer.cancel()
        if process.poll() is None:
            process.terminate()
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def main(arguments: list[str] | None = None) -> int:
    """Serve a folder until it is interrupted; 1 and one sentence if it cannot be."""
    parser = argparse.ArgumentParser("python -m recsys_tutorial.serving")
    parser.add_argument("folder", help="of save_pipeline")
    parser.add_argument("--port", type=int, default=8000, help="0: any free one")
    parser.add_argument("--candidates", type=int, default=200)
    parser.add_argument("--stale", type=int, default=0, help="events a vector may miss")
    parser.add_argument("--variety", type=float, default=0.2, help="0 to 1")
    told = parser.parse_args(arguments)
    try:
        pipeline = Pipeline(told.folder, told.candidates, told.stale, told.variety)
        app = create_app(pipeline)
        import uvicorn

        listening = socket.create_server((HOST, told.port))
    except (ImportError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    port = listening.getsockname()[1]
    print(f"serving {told.folder} at http://{HOST}:{port}", flush=True)
    config = uvicorn.Config(app, log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[listening])
    return 0


if __name__ == "__main__":
    sys.exit(main())
