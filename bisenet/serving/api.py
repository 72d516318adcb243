"""``POST /api/parse``: a photo in, its measurements and its mask out."""

from __future__ import annotations

import asyncio
import base64
import logging
import math
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pandas as pd
from PIL import UnidentifiedImageError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message

from bisenet import parse_queue
from bisenet.classes import CLASSES, UNKNOWN_VALUES
from bisenet.engines import ENGINES
from bisenet.images.decode import MAX_BYTES, ImageError, Photo
from bisenet.measure.regions import measure_regions
from bisenet.output import encode
from bisenet.parser import FRAMINGS, Parsing
from bisenet.runtime.admission import QueueFull
from bisenet.serving.bodies import TooSlow
from bisenet.serving.clients import client_of
from bisenet.serving.forms import FormError, Upload, read_form
from bisenet.serving.lifecycle import Busy, Lifecycle
from bisenet.serving.metrics import Metrics
from bisenet.serving.models import Models
from bisenet.serving.refusal import refusal

LOG = logging.getLogger("bisenet.api")
JSON, PNG = "application/json", "image/png"
# What the mask may have where no view looked, as a form says it.
UNKNOWN_CHOICES = tuple(map(str, UNKNOWN_VALUES))
_MESSAGES = {
    "draining": "This server is going away. Try again: another one will answer.",
    "loading": "The server is still loading the network. Try again in a moment.",
    "stalled": "A parse on this server hangs, so it is about to be started again. Try again: "
    "another one will answer.",
}


class ApiError(Exception):
    """An answer that is not 200: status, a stable code for programs, a sentence for people."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] = {}):
        super().__init__(message)
        self.status, self.code, self.headers = status, code, dict(headers)


class _ClientGone(Exception):
    """Nobody waits for the answer any more."""


@dataclass(frozen=True)
class _Answer:
    parsing: Parsing
    regions: pd.DataFrame
    mask_png: bytes
    unknown: int
    notices: tuple[str, ...]


class ParseRoute:
    """The route's handler.

    Photos wait in the same queue as the dashboard's, and are decoded once they have a place there.
    """

    def __init__(self, lifecycle: Lifecycle, models: Models, metrics: Metrics, body_seconds: float):
        self._lifecycle = lifecycle
        self._models = models
        self._metrics = metrics
        self._body_seconds = body_seconds
        queue = lifecycle.queue
        # Threads of its own: requests that wait here must not keep the dashboard's files waiting.
        self._pool = ThreadPoolExecutor(queue.max_running + queue.max_waiting, "parse")
        self._mean_seconds = 0.5

    async def __call__(self, request: Request) -> Response:
        """Handle one request."""
        log: dict[str, object] = request.state.log
        try:
            response = await self._handle(request, log)
            log["outcome"] = "ok"
            return response
        except ApiError as error:
            return self._refuse(request, error)
        except _ClientGone:
            return self._refuse(request, ApiError(499, "client_gone", "Nobody is there."))
        except Exception:
            LOG.exception("a parse failed", extra={"fields": {"id": request.state.id}})
            return self._refuse(request, ApiError(500, "error", "The photo could not be parsed."))

    def _refuse(self, request: Request, error: ApiError) -> Response:
        request.state.log["outcome"] = error.code
        self._metrics.parses.labels("api", error.code).inc()
        return refusal(request.scope, error.status, error.code, str(error), error.headers)

    async def _handle(self, request: Request, log: dict[str, object]) -> Response:
        media_type = preferred_media_type(", ".join(request.headers.getlist("accept")))
        if problem := self._lifecycle.problem:
            message = _MESSAGES.get(problem, "This server cannot parse: its weights are not right.")
            code = problem if problem in ("draining", "loading") else "not_ready"
            raise ApiError(503, code, message, {"retry-after": "2"})
        client = client_of(request.scope)
        try:
            with self._lifecycle.request(client):
                async with asyncio.timeout(self._body_seconds):
                    upload = await read_form(
                        request,
                        MAX_BYTES,
                        {"framing": FRAMINGS, "engine": ENGINES, "unknown": UNKNOWN_CHOICES},
                    )
                with upload:
                    answer = await self._run(request, upload, client)
        except (Busy, QueueFull) as error:
            message = str(error) or "Too many photos are on their way. Try again in a moment."
            seconds = self._retry_after()
            if self._lifecycle.shares.promise(client, seconds):
                # Who asks again before the time that it was told waits for its answer.
                await asyncio.sleep(1)
            raise ApiError(429, "queue_full", message, {"retry-after": str(seconds)}) from None
        except FormError as error:
            raise ApiError(error.status, error.code, str(error)) from None
        except TooSlow as error:
            raise ApiError(408, "too_slow", str(error)) from None
        except TimeoutError:
            message = f"The photo did not arrive within {self._body_seconds:g} seconds."
            raise ApiError(408, "too_slow", message) from None
        except ImageError as error:
            if isinstance(error.__cause__, UnidentifiedImageError):
                raise ApiError(415, "not_an_image", str(error)) from None
            raise ApiError(422, "bad_image", str(error)) from None
        height, width = answer.parsing.mask.shape
        log.update(width=width, height=height)
        headers = {"cache-control": "no-store", "vary": "accept"}
        if media_type == PNG:
            return Response(answer.mask_png, media_type=PNG, headers=headers)
        framing = upload.options.get("framing", "auto")
        body = await run_in_threadpool(as_json, request.state.id, framing, answer)
        return JSONResponse(body, headers=headers)

    async def _run(self, request: Request, upload: Upload, client: str) -> _Answer:
        gone = threading.Event()
        watch = asyncio.create_task(_watch(request.receive, gone.set))
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, self._parse, upload, gone, client)
        finally:
            watch.cancel()

    def _parse(self, upload: Upload, gone: threading.Event, client: str) -> _Answer:
        def still_wanted() -> None:
            if gone.is_set():
                raise _ClientGone
            if self._lifecycle.stuck:
                raise ApiError(503, "not_ready", _MESSAGES["stalled"], {"retry-after": "30"})

        unknown = int(upload.options.get("unknown", 0))

        def answer(photo: Photo, parsing: Parsing) -> _Answer:
            seconds = sum(parsing.timings.values()) / 1000
            self._mean_seconds += 0.2 * (seconds - self._mean_seconds)
            regions = measure_regions(parsing)
            mask_png = encode.mask_png(parsing, unknown)
            return _Answer(parsing, regions, mask_png, unknown, photo.notices)

        try:
            # Before the photo has its place: opening an engine takes seconds.
            parser = self._models.get(upload.options.get("engine", "auto"))
        except ValueError as error:
            raise ApiError(400, "bad_option", str(error)) from None
        return parse_queue.parse(
            upload.open(),
            parser,
            answer,
            upload.options.get("framing", "auto"),
            still_wanted=still_wanted,
            caller="api",
            client=client,
            queue=self._lifecycle.queue,
        )

    def _retry_after(self) -> int:
        queue = self._lifecycle.queue
        seconds = self._mean_seconds * (queue.waiting + queue.running) / queue.max_running
        return min(60, max(1, math.ceil(seconds)))


def as_json(request_id: str, framing: str, answer: _Answer) -> dict[str, Any]:
    """The body of a 200, as ``/api/openapi.json`` describes it."""
    parsing = answer.parsing
    height, width = parsing.mask.shape
    regions = answer.regions.astype(object).where(answer.regions.notna(), None)
    return {
        "id": request_id,
        "width": width,
        "height": height,
        "parsed_px": parsing.parsed_px,
        "framing": framing,
        "weights": parsing.weights,
        "engine": {
            "name": parsing.engine.name,
            "precision": parsing.engine.precision,
            "device": parsing.engine.device,
            "threads": parsing.engine.threads,
        },
        "faces": [
            {
                "box": [float(v) for v in face.box],
                "score": float(face.score),
                "cut_off": [CLASSES[class_id].name for class_id in face.cut_off],
            }
            for face in parsing.faces
        ],
        "regions": [
            {name: getattr(value, "item", lambda v=value: v)() for name, value in row.items()}
            for row in regions.to_dict("records")
        ],
        "timings_ms": {stage: round(ms, 3) for stage, ms in parsing.timings.items()},
        "notices": [*answer.notices, *parsing.notices],
        "mask": {
            "media_type": PNG,
            "encoding": "base64",
            "unknown": answer.unknown,
            "data": base64.b64encode(answer.mask_png).decode(),
        },
    }


def preferred_media_type(accept: str) -> str:
    """JSON or PNG, whichever the Accept header ranks higher; JSON where it does not care.

    As in RFC 9110, 12.5.1: of the ranges that a type is in, the most exact one says its quality.

    Args:
        accept: all lines of the header, joined by commas; an empty one takes anything.

    Raises:
        ApiError: 406, it takes neither.
    """
    # How exactly each was asked for, and its quality.
    asked: dict[str, tuple[int, float]] = {}
    clauses = [clause for clause in accept.split(",") if clause.strip()] or ["*/*"]
    for clause in clauses:
        name, *parameters = (part.strip().lower() for part in clause.split(";"))
        for offered in (JSON, PNG):
            # A lone star is what Java's own client sends.
            ranges = ("*", "*/*", f"{offered.partition('/')[0]}/*", offered)
            if name in ranges:
                one = (ranges.index(name), _quality(parameters))
                asked[offered] = max(asked.get(offered, one), one)
    ranks = {offered: (quality, exact) for offered, (exact, quality) in asked.items() if quality}
    if not ranks:
        raise ApiError(406, "not_acceptable", f"This route answers with {JSON} or {PNG}.")
    # Of the same quality, what is named goes before what a star takes in.
    return PNG if JSON not in ranks or ranks.get(PNG, (0.0, 0)) > ranks[JSON] else JSON


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                quality = float(value)
            except ValueError:
                return 0.0
            return min(quality, 1.0) if quality > 0 else 0.0  # nan is none either
    return 1.0


async def _watch(receive: Callable[[], Any], on_gone: Callable[[], None]) -> None:
    while True:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            on_gone()
            return
