"""The one door to the queue: who holds a place, for how long, and what is decoded without one."""

from __future__ import annotations

import io
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from bisenet import parse_queue
from bisenet.images.decode import ImageError, Photo
from bisenet.parser import FaceParser, Parsing
from bisenet.runlog import RunLog
from bisenet.runtime import admission
from bisenet.runtime.admission import ParseQueue
from bisenet.runtime.cancellation import Cancelled
from tests.waiting import until


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def test_a_photo_holds_its_place_until_its_caller_has_finished(
    parser: FaceParser, portrait: Image.Image
) -> None:
    queue, log = ParseQueue(1), RunLog()
    running: list[int] = []

    def then(photo: Photo, parsing: Parsing) -> tuple[int, int]:
        running.append(queue.running)
        assert np.array_equal(photo.pixels, parsing.image)
        return parsing.mask.shape[0], parsing.mask.shape[1]

    data = encoded(portrait.resize((90, 60)), "PNG")
    for source in (data, io.BytesIO(data), np.zeros((60, 90, 3), np.uint8)):
        assert parse_queue.parse(
            source, parser, then, "whole", caller="api", queue=queue, log=log
        ) == (60, 90)
    assert running == [1, 1, 1]
    assert (queue.running, [run.source for run in log.runs()]) == (0, ["api"] * 3)
    with pytest.raises(ImageError):
        parse_queue.parse(b"no photo", parser, then, queue=queue, log=log)
    assert queue.running == 0


def test_nothing_is_decoded_before_its_turn(parser: FaceParser, portrait: Image.Image) -> None:
    queue, waits, done = ParseQueue(1), threading.Event(), threading.Event()

    def other() -> None:
        with pytest.raises(ImageError):
            parse_queue.parse(
                b"no photo",
                parser,
                parse_queue.parsing_alone,
                on_position=lambda place: waits.set(),
                queue=queue,
            )
        done.set()

    with queue.admit():
        threading.Thread(target=other).start()
        assert waits.wait(10)
        assert not done.is_set(), "even what is no photo is found out in its turn"
    assert done.wait(10)


def test_the_parse_of_who_has_left_ends_at_its_next_step(
    parser: FaceParser, portrait: Image.Image
) -> None:
    queue, asked = ParseQueue(1), list[int]()

    def still_wanted() -> None:
        asked.append(queue.running)
        if len(asked) == 4:
            raise Cancelled

    with pytest.raises(Cancelled):
        parse_queue.parse(
            encoded(portrait, "PNG"),
            parser,
            parse_queue.parsing_alone,
            still_wanted=still_wanted,
            queue=queue,
        )
    assert (asked, queue.running) == ([1] * 4, 0)


def test_each_step_of_a_parse_is_progress(
    parser: FaceParser, portrait: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    stood, queue, now = list[float](), ParseQueue(1), [0.0]
    monkeypatch.setattr(admission, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def a_minute_later() -> None:
        stood.append(queue.stalled_seconds)
        now[0] += 60

    parse_queue.parse(
        encoded(portrait, "PNG"),
        parser,
        parse_queue.parsing_alone,
        still_wanted=a_minute_later,
        queue=queue,
    )
    assert len(stood) >= 6, "decoded, searched, cropped, run, labelled, logged"
    assert set(stood) == {0}, "each step says so before it is asked whether to go on"


@pytest.mark.parametrize("kind", ["JPEG", "progressive", "PNG", "WEBP", "TIFF"])
def test_drafts(portrait: Image.Image, kind: str) -> None:
    """A plain JPEG's thumbnail takes no place; what has to be decoded whole waits for one."""
    large = portrait.resize((1600, 1200))
    form, options = ("JPEG", {"progressive": True}) if kind == "progressive" else (kind, {})
    data = encoded(large, form, **options)
    queue, made = ParseQueue(1), list[Photo]()
    thread = threading.Thread(target=lambda: made.append(parse_queue.draft(data, 96, queue=queue)))
    with queue.admit():
        thread.start()
        until(lambda: made or queue.waiting)
        assert bool(made) == (kind == "JPEG")
    thread.join(10)
    height, width = made[0].pixels.shape[:2]
    assert 96 <= height <= 200
    assert width == pytest.approx(height * 4 / 3, abs=2)
    small = np.asarray(large.resize((width, height), Image.Resampling.BOX), float)
    assert np.abs(small - made[0].pixels).mean() < 4


def test_a_cut_off_photo_is_refused_in_its_draft_too(portrait: Image.Image) -> None:
    data = encoded(portrait.resize((800, 600)), "JPEG")
    with pytest.raises(ImageError, match="damaged"):
        parse_queue.draft(data[: len(data) // 2], 96, queue=ParseQueue(1))
    with pytest.raises(ImageError, match="not an image"):
        parse_queue.draft(b"no photo", 96, queue=ParseQueue(1))


@pytest.mark.parametrize("key", ["session", "client"])
def test_clients_take_turns(key: str) -> None:
    queue, order, threads = ParseQueue(1), list[str](), list[threading.Thread]()

    def ask(who: str) -> None:
        with pytest.raises(ImageError):
            parse_queue.parse(
                io.BytesIO(b"no photo"),
                FaceParser.__new__(FaceParser),
                parse_queue.parsing_alone,
                on_position=lambda place: None if place else order.append(who),
                queue=queue,
                session=who if key == "session" else "one for all",
                client=who if key == "client" else "",
            )

    with queue.admit(client="greedy"):
        for count, who in enumerate(["greedy", "greedy", "polite"], start=1):
            threads.append(threading.Thread(target=ask, args=(who,)))
            threads[-1].start()
            until(lambda n=count: queue.waiting == n)  # type: ignore[misc]
    for thread in threads:
        thread.join(10)
    assert order == ["polite", "greedy", "greedy"]
