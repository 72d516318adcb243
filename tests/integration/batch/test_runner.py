from __future__ import annotations

import io
import threading
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bisenet.batch.items import TIDY, Parse
from bisenet.batch.runner import Batch
from bisenet.classes import BACKGROUND
from bisenet.images.decode import ImageError, Photo
from bisenet.images.sources import from_files
from bisenet.parse_queue import background, parsing_alone, unqueued
from bisenet.parser import FaceParser, Parsing
from bisenet.runtime.admission import ParseQueue
from bisenet.runtime.cancellation import Cancelled
from tests.waiting import until

T = TypeVar("T")


def jpeg(image: Image.Image, side: int) -> bytes:
    out = io.BytesIO()
    image.resize((side, side)).save(out, format="JPEG")
    return out.getvalue()


@pytest.fixture
def parse(parser: FaceParser) -> Parse:
    return unqueued(lambda photo: parser.parse(photo, "whole"))


def batch_of(parse: Parse, *files: bytes, **options: Any) -> Batch:
    named = [(f"{i}.jpg", io.BytesIO(data)) for i, data in enumerate(files)]
    return Batch(from_files(named), parse, **options)


def run(batch: Batch) -> None:
    batch.run(lambda share, what: None, lambda: False)


def test_what_is_kept_of_each_photo(parse: Parse, portrait: Image.Image) -> None:
    batch = batch_of(parse, jpeg(portrait, 200), jpeg(portrait, 120))
    shares: list[float] = []
    batch.run(lambda share, what: shares.append(share), lambda: False)
    state = batch.snapshot()
    assert shares == [0, 0.5, 1]
    assert (state.total, state.tried, state.faces, state.failed) == (2, 2, 2, ())
    assert state.rate > 0
    assert state.seconds_left == 0
    first = state.items[0]
    mask = Image.open(io.BytesIO(first.mask_png))
    assert mask.mode == "P"
    assert mask.size == (200, 200)
    (preview,) = first.previews
    plain, overlay = (Image.open(io.BytesIO(b)) for b in (preview.plain, preview.overlay))
    assert plain.size == overlay.size
    assert max(plain.size) <= 176
    difference = np.asarray(plain, int) - np.asarray(overlay, int)
    assert np.abs(difference).max() > 60, "the overlay is coloured"
    assert preview.icon.startswith("data:image/webp;base64,")

    table = batch.table()
    assert tuple(table.columns) == TIDY
    assert table["photo"].unique().tolist() == ["0.jpg", "1.jpg"]
    assert BACKGROUND not in set(table["class_id"])
    shares_of_head = table.groupby("photo")["head_share"].sum()
    assert shares_of_head.to_numpy() == pytest.approx([1, 1])
    areas = table.loc[table["photo"] == "0.jpg"].set_index("class_id")["area_px"]
    counts = np.bincount(np.asarray(mask).ravel(), minlength=19)
    assert areas.to_dict() == {i: int(n) for i, n in enumerate(counts) if n and i}


def test_a_bad_photo_and_a_second_copy_stop_nothing(
    parse: Parse, portrait: Image.Image, parser: FaceParser
) -> None:
    good, other = jpeg(portrait, 100), jpeg(portrait, 90)

    def sometimes(photo: bytes, then: Callable[[Photo, Parsing], T], /) -> T:
        if photo == other:
            raise KeyError("a mistake of ours")
        return parse(photo, then)

    batch = batch_of(sometimes, b"not a photo", good, other, good, jpeg(portrait, 80))
    run(batch)
    state = batch.snapshot()
    assert [photo.name for photo in state.items] == ["1.jpg", "4.jpg"]
    told = {one.name: one.reason for one in state.failed}
    assert "not an image" in told["0.jpg"]
    assert "could not be parsed" in told["2.jpg"]
    assert "mistake" not in told["2.jpg"]
    assert told["3.jpg"] == "The same photo as 1.jpg, which is counted once."
    assert state.tried == state.total == 5


def test_a_photo_without_a_face_is_kept_without_rows(parser: FaceParser) -> None:
    grey = Image.new("RGB", (96, 64), "grey")
    batch = batch_of(unqueued(lambda photo: parser.parse(photo, "auto")), jpeg(grey, 64))
    run(batch)
    (photo,) = batch.snapshot().items
    assert photo.faces == 0
    assert [preview.face for preview in photo.previews] == [0]
    assert "No face was found" in " ".join(photo.notices)
    assert batch.table().empty
    assert tuple(batch.table().columns) == TIDY


def test_cancelled_in_mid_run_it_keeps_what_is_done(parse: Parse, portrait: Image.Image) -> None:
    batch = batch_of(parse, *(jpeg(portrait, 60 + i) for i in range(4)))
    batch.run(lambda share, what: None, lambda: batch.snapshot().tried == 2)
    state = batch.snapshot()
    assert (state.tried, len(state.items), state.total) == (2, 2, 4)
    assert batch.table()["photo"].nunique() == 2
    assert batch.read("3.jpg") == jpeg(portrait, 63), "the rest is still at hand"


def test_results_are_read_while_it_runs(parse: Parse, portrait: Image.Image) -> None:
    go_on = threading.Semaphore(2)

    def slowly(photo: bytes, then: Callable[[Photo, Parsing], T], /) -> T:
        assert go_on.acquire(timeout=30)
        return parse(photo, then)

    batch = batch_of(slowly, *(jpeg(portrait, 60 + i) for i in range(3)))
    thread = threading.Thread(target=run, args=(batch,))
    thread.start()
    until(lambda: batch.snapshot().tried == 2)
    half = batch.table()
    assert half["photo"].nunique() == 2
    go_on.release()
    thread.join(30)
    whole = batch.table()
    assert whole["photo"].nunique() == 3
    pd.testing.assert_frame_equal(whole.iloc[: len(half)], half)


def test_pixels_are_let_go(parse: Parse, portrait: Image.Image) -> None:
    arrays: list[weakref.ref[np.ndarray]] = []

    def watched(photo: bytes, then: Callable[[Photo, Parsing], T], /) -> T:
        def noted(decoded: Photo, parsing: Parsing) -> T:
            held = (parsing.image, parsing.mask, parsing.confidence)
            arrays.extend(weakref.ref(array) for array in held)
            return then(decoded, parsing)

        return parse(photo, noted)

    batch = batch_of(watched, jpeg(portrait, 100), jpeg(portrait, 80))
    run(batch)
    assert len(arrays) == 6
    assert [ref() for ref in arrays] == [None] * 6


def test_masks_are_kept_up_to_a_limit(parse: Parse, portrait: Image.Image) -> None:
    batch = batch_of(parse, jpeg(portrait, 100), jpeg(portrait, 80), max_mask_bytes=10)
    run(batch)
    state = batch.snapshot()
    assert state.masks_dropped == 2
    assert {photo.mask_png for photo in state.items} == {b""}


def test_a_released_batch_holds_nothing_and_stops(parse: Parse, portrait: Image.Image) -> None:
    batch = batch_of(parse, *(jpeg(portrait, 60 + i) for i in range(3)))
    batch.run(lambda share, what: batch.release() if share > 0.3 else None, lambda: False)
    state = batch.snapshot()
    assert (state.items, state.failed) == ((), ())
    assert batch.table().empty
    with pytest.raises(ImageError, match="not at hand"):
        batch.read("0.jpg")


def tell(event: threading.Event) -> bool:
    """For ``stop``: goes on, and tells that it was asked."""
    event.set()
    return False


class TestManners:
    def test_a_person_who_waits_goes_first(
        self, parser: FaceParser, portrait: Image.Image, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One photo inside, one person waiting: the batch joins when the person is in."""
        queue = ParseQueue(1, 8)
        order: list[str] = []
        leave, stepped_back = threading.Event(), threading.Event()

        def person(name: str) -> None:
            with queue.admit():
                order.append(name)
                leave.wait(30)

        def batch() -> None:
            # It asks whether to stop at each pause.
            stop = partial(tell, stepped_back)
            parse = background(parser, "whole", "", stop, queue, patience=600)
            parse(jpeg(portrait, 64), parsing_alone)
            order.append("batch")

        inside = threading.Thread(target=person, args=("first",))
        inside.start()
        until(lambda: queue.running == 1)
        waiting = threading.Thread(target=person, args=("second",))
        waiting.start()
        until(lambda: queue.waiting == 1)
        own = threading.Thread(target=batch)
        own.start()
        assert stepped_back.wait(30)
        assert queue.waiting == 1, "the batch stepped back"
        leave.set()
        for thread in (inside, waiting, own):
            thread.join(30)
        assert order == ["first", "second", "batch"]

    def test_a_full_queue_is_tried_again(self, parser: FaceParser, portrait: Image.Image) -> None:
        queue = ParseQueue(1, 0)
        done, refused = threading.Event(), threading.Event()
        parse = background(parser, "whole", "", partial(tell, refused), queue)
        with queue.admit():

            def wait_and_parse() -> None:
                parse(jpeg(portrait, 64), parsing_alone)
                done.set()

            threading.Thread(target=wait_and_parse).start()
            assert refused.wait(30)
            assert not done.is_set()
        assert done.wait(30)

    def test_it_stops_while_it_waits(self, parser: FaceParser, portrait: Image.Image) -> None:
        queue = ParseQueue(1, 0)
        with queue.admit(), pytest.raises(Cancelled):
            background(parser, "whole", "", lambda: True, queue)(jpeg(portrait, 64), parsing_alone)

    def test_it_stops_in_the_queue_behind_work_that_never_ends(
        self, parser: FaceParser, portrait: Image.Image
    ) -> None:
        """The queue does not move, so nobody would tell it that its place has changed."""
        queue = ParseQueue(1, 8)
        stopped, ended = threading.Event(), threading.Event()

        def batch() -> None:
            parse = background(parser, "whole", "", stopped.is_set, queue, patience=0)
            with pytest.raises(Cancelled):
                parse(jpeg(portrait, 64), parsing_alone)
            ended.set()

        with queue.admit():
            threading.Thread(target=batch).start()
            until(lambda: queue.waiting == 1)
            stopped.set()
            assert ended.wait(30)
            assert queue.waiting == 0
