"""How long work shares the engine: photo by photo, and people with a single photo go first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from bisenet import parse_queue
from bisenet.images.decode import Photo
from bisenet.parse_queue import Parse
from bisenet.parser import FaceParser, FramingName, Parsing
from bisenet.runtime.admission import ParseQueue, QueueFull, process_queue
from bisenet.runtime.cancellation import Cancelled

# A server that is never idle would keep a batch waiting for ever: after so long it queues too.
PATIENCE_SECONDS = 5.0
_PAUSE_SECONDS = 0.05

T = TypeVar("T")


def polite_parse(
    parser: FaceParser,
    framing: FramingName,
    session: str,
    stop: Callable[[], bool],
    queue: ParseQueue | None = None,
    patience: float = PATIENCE_SECONDS,
) -> Parse:
    """A parse that steps back while others wait, and tries again where the queue is full.

    Args:
        parser, framing, session: as ``parse_queue.parse`` takes them.
        stop: asked while it waits and at each step; the parse raises ``Cancelled`` then.
        gate: another than the process's.
        patience: seconds that it steps back for those who wait, before it queues with them.
    """
    own = queue or process_queue()

    def go_on() -> None:
        if stop():
            raise Cancelled

    def parse(photo: bytes, then: Callable[[Photo, Parsing], T], /) -> T:
        return _when_there_is_room(
            lambda: parse_queue.parse(
                photo,
                parser,
                then,
                framing,
                still_wanted=go_on,
                caller="batch",
                session=session,
                queue=own,
            ),
            own,
            go_on,
            patience,
        )

    return parse


@contextmanager
def polite_place(data: bytes, session: str, stop: Callable[[], bool]) -> Iterator[None]:
    """A place in the queue to decode a picture, with the same manners.

    Raises:
        Cancelled: it was stopped while it waited.
    """

    def go_on() -> None:
        if stop():
            raise Cancelled

    with ExitStack() as stack:
        _when_there_is_room(
            lambda: stack.enter_context(
                parse_queue.place(parse_queue.pixels_of(data), still_wanted=go_on, client=session)
            ),
            process_queue(),
            go_on,
            PATIENCE_SECONDS,
        )
        yield


def _when_there_is_room(
    work: Callable[[], T], queue: ParseQueue, go_on: Callable[[], None], patience: float
) -> T:
    begun = time.monotonic()
    while True:
        while queue.waiting and time.monotonic() - begun < patience:
            go_on()
            time.sleep(_PAUSE_SECONDS)
        try:
            return work()
        except QueueFull:
            go_on()
            time.sleep(_PAUSE_SECONDS)
