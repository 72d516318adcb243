"""Every photo of pages, batches, evaluations and the API is decoded and parsed here, in turn.

A photo waits for its place in the process's queue, is decoded, parsed and logged, and whatever its
caller makes of the arrays is made, before the place is free again. So the memory of decoded photos
is bounded by the queue and not by the number of people.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import BinaryIO, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bisenet.geometry.boxes import Box
from bisenet.images.decode import (
    MAX_PIXELS,
    UNREADABLE,
    ImageError,
    Photo,
    opened,
    read_photo,
    stored_size,
)
from bisenet.parser import MAX_FACES, FaceParser, FramingName, Parsing, Progress
from bisenet.runlog import RunLog, process_log
from bisenet.runtime.admission import ParseQueue, QueueFull, process_queue
from bisenet.runtime.cancellation import cancelling, each_step, step

# A server that is never idle would keep a batch waiting for ever: after so long it queues too.
PATIENCE_SECONDS = 5.0
_PAUSE_SECONDS = 0.05

T = TypeVar("T")
Source = bytes | BinaryIO | NDArray[np.uint8]


class Parse(Protocol):
    """Decodes and parses a photo, and returns what ``then`` makes of it.

    Raises:
        ImageError: not an image, damaged, empty, or too large.
        QueueFull: too many wait already.
    """

    def __call__(self, photo: bytes, then: Callable[[Photo, Parsing], T], /) -> T:
        """Decode, parse, and hand both to ``then``."""
        ...


def parsing_alone(_: Photo, parsing: Parsing) -> Parsing:
    """For ``then``: the parsing as it is."""
    return parsing


def parse(
    source: Source,
    parser: FaceParser,
    then: Callable[[Photo, Parsing], T],
    framing: FramingName = "auto",
    *,
    boxes: Sequence[Box] | None = None,
    max_faces: int = MAX_FACES,
    progress: Progress | None = None,
    search_progress: Progress | None = None,
    on_position: Callable[[int], None] | None = None,
    still_wanted: Callable[[], None] | None = None,
    caller: str = "page",
    session: str = "",
    client: str = "",
    patience: float | None = None,
    queue: ParseQueue | None = None,
    log: RunLog | None = None,
) -> T:
    """Wait for a place in the queue, decode, parse, log how long it took, and finish.

    Args:
        source: a photo's file, or its pixels ``(H, W, 3)`` uint8 where they are ours already.
        parser: shared by all sessions.
        then: makes of photo and parsing what the caller keeps, while the place is still held.
        framing, boxes, max_faces, progress, search_progress: as ``FaceParser.parse`` takes them.
        on_position: as ``ParseQueue.admit`` takes it.
        still_wanted: asked every second in the queue and at each step of the parse; raises where
            nobody waits for the result any more.
        caller: ``page``, ``api`` or ``batch``, for the log.
        session: a random mark of who asks, for the log; never a name.
        client: whose place it is, as ``ParseQueue.admit`` takes it; by default the session's.
            Not logged.
        patience: as ``place`` takes it.
        queue, log: others than the process's.

    Raises:
        ImageError: not an image, damaged, empty, or too large.
        QueueFull: too many wait already; the message is a sentence for people.
    """
    pixels = pixels_of(source)
    with place(pixels, on_position, still_wanted, queue, client or session, patience) as waited:
        photo = Photo(source) if isinstance(source, np.ndarray) else read_photo(source)
        parsing = parser.parse(photo.pixels, framing, boxes, max_faces, progress, search_progress)
        (log or process_log()).record_parse(parsing, parser.input_size, caller, session, waited)
        step()
        return then(photo, parsing)


@contextmanager
def place(
    pixels: int,
    on_position: Callable[[int], None] | None = None,
    still_wanted: Callable[[], None] | None = None,
    queue: ParseQueue | None = None,
    client: str = "",
    patience: float | None = None,
) -> Iterator[float]:
    """Hold a place in the queue for work on a picture of so many pixels, step by step.

    Args:
        pixels, on_position, still_wanted, queue, client: as ``parse`` takes them.
        patience: for batches: seconds that the work lets others go first before it queues with
            them; where the queue is full it tries again. None for a person's own photo.

    Yields:
        Milliseconds in the queue.

    Raises:
        QueueFull: too many wait already, or too many of this client's; not with a patience.
    """
    queue = queue or process_queue()

    def go_on() -> None:
        if still_wanted is not None:
            still_wanted()

    def waiting(position: int) -> None:
        go_on()
        if on_position is not None:
            on_position(position)

    watched = on_position is not None or still_wanted is not None
    begun = time.monotonic()
    with ExitStack() as stack:
        while True:
            while patience and queue.waiting and time.monotonic() - begun < patience:
                go_on()
                time.sleep(_PAUSE_SECONDS)
            arrived = time.perf_counter()
            try:
                moved = stack.enter_context(
                    queue.admit(waiting if watched else None, places(queue, pixels), client)
                )
                break
            except QueueFull:
                if patience is None:
                    raise
                go_on()
                time.sleep(_PAUSE_SECONDS)

        def moving() -> None:
            moved()
            go_on()

        with each_step(moving):
            step()
            yield 1000 * (time.perf_counter() - arrived)


def draft(
    data: bytes,
    side: int,
    on_position: Callable[[int], None] | None = None,
    queue: ParseQueue | None = None,
    client: str = "",
) -> Photo:
    """A small copy of a photo: ``side`` pixels or more on its shorter side, where it has as many.

    A JPEG is decoded at an eighth of its size and takes no place. What has to be decoded whole,
    progressive JPEG too, waits for one.

    Raises:
        ImageError: not an image, damaged, empty, or too large.
        QueueFull: too many wait already.
    """
    if _scales(data):
        return read_photo(data, side)
    with place(pixels_of(data), on_position, queue=queue, client=client):
        photo = read_photo(data, side)
        small = Image.fromarray(photo.pixels)
        small.thumbnail((2 * side, 2 * side))
        return Photo(np.asarray(small), photo.notices)


def background(
    parser: FaceParser,
    framing: FramingName,
    session: str,
    stop: Callable[[], bool],
    queue: ParseQueue | None = None,
    patience: float = PATIENCE_SECONDS,
) -> Parse:
    """For batches and evaluations: single photos go first, and a full queue is tried again.

    Args:
        parser, framing, session, queue, patience: as ``parse`` takes them.
        stop: asked while it waits and at each step; the parse raises ``Cancelled`` then.
    """

    def parse_when_free(photo: bytes, then: Callable[[Photo, Parsing], T], /) -> T:
        return parse(
            photo,
            parser,
            then,
            framing,
            still_wanted=cancelling(stop),
            caller="batch",
            session=session,
            patience=patience,
            queue=queue,
        )

    return parse_when_free


def unqueued(parse: Callable[[NDArray[np.uint8]], Parsing]) -> Parse:
    """For the command line, where nobody else waits: decodes and parses at once, without a log."""

    def parse_now(data: bytes, then: Callable[[Photo, Parsing], T], /) -> T:
        photo = read_photo(data)
        return then(photo, parse(photo.pixels))

    return parse_now


def places(queue: ParseQueue, pixels: int) -> int:
    """How many of the queue's places a photo of so many pixels takes: its share of the largest one.

    So those that run at once need no more memory than a single photo of ``MAX_PIXELS``.
    """
    return max(1, math.ceil(queue.max_running * pixels / MAX_PIXELS))


def pixels_of(source: Source) -> int:
    """How many pixels a picture will have; 0 where its header does not tell: decoding says why."""
    if isinstance(source, np.ndarray):
        return source.size // 3
    try:
        width, height = stored_size(io.BytesIO(source) if isinstance(source, bytes) else source)
    except ImageError:
        return 0
    finally:
        if not isinstance(source, bytes):
            source.seek(0)
    return width * height


def _scales(data: bytes) -> bool:
    """Whether a file is decoded at a fraction of its size with a fraction of the memory.

    The library holds all of a progressive JPEG's coefficients before it makes the first pixel.
    """
    try:
        with opened(io.BytesIO(data)) as image:
            return image.format in ("JPEG", "MPO") and not image.info.get("progressive")
    except UNREADABLE:
        return False
