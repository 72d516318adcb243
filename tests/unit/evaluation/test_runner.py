from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pytest
from PIL import Image

from bisenet.data.label_mapping import of_order
from bisenet.data.pairing import pair_up
from bisenet.evaluation import report
from bisenet.evaluation.runner import EvaluatedNetwork, Outcome, ParseFor, evaluate, progress_line
from bisenet.evaluation.sources import Files
from bisenet.evaluation.survey import Checked, survey
from bisenet.images.archives import ArchiveError
from bisenet.images.decode import Photo, read_photo
from bisenet.parse_queue import Parse
from bisenet.postprocess.results import Parsing
from bisenet.runtime.cancellation import Cancelled

SIZE = 48
T = TypeVar("T")


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def brought(count: int, folder: str = "") -> tuple[Files, tuple[Checked, ...]]:
    """Photos whose red channel is their mask: a parser can be as good as it is told to be."""
    files = []
    for i in range(count):
        mask = np.random.default_rng(i).integers(0, 19, (SIZE, SIZE)).astype(np.uint8)
        photo = np.repeat(mask[..., None], 3, axis=2)
        files += [(f"{folder}images/{i}.png", png(photo)), (f"{folder}masks/{i}.png", png(mask))]
    source = Files(files)
    return source, survey(pair_up(source.names).pairs, source.read).checked


def reader(wrong_rows: int, fails_on: int | None = None) -> Parse:
    """Stands in for a network: reads the labels from the photo, but for its first rows."""
    seen: list[int] = []

    def parse(photo: bytes, then: Callable[[Photo, Parsing], T], /) -> T:
        seen.append(1)
        if fails_on == len(seen):
            raise ValueError("There is not enough memory for this photo.")
        decoded = read_photo(photo)
        mask = decoded.pixels[..., 0].copy()
        mask[:wrong_rows] = 0
        sure = np.ones(mask.shape, np.float32)
        owner = np.ones(mask.shape, np.uint8)
        return then(decoded, Parsing(decoded.pixels, mask, sure, (), instance_ids=owner))

    return parse


def every(parse: Parse) -> ParseFor:
    """Parses every photo alike."""
    return lambda _: parse


A = EvaluatedNetwork("first", "x f32, cpu, 1 thread")
B = EvaluatedNetwork("second", "y f32, cpu, 1 thread")


def run(count: int, *parses: Parse, **options: object) -> Outcome:
    source, checked = brought(count)
    networks = [(network, every(parse)) for network, parse in zip((A, B), parses, strict=False)]
    return evaluate(
        checked,
        source.read,
        of_order("bisenet"),
        networks,
        "whole",
        **options,  # type: ignore[arg-type]
    )


def test_every_photo_is_scored_by_every_network() -> None:
    told: list[tuple[float, str]] = []
    outcome = run(4, reader(0), reader(24), progress=lambda share, what: told.append((share, what)))
    assert [len(photo.scores) for photo in outcome.photos] == [2] * 4
    assert [photo.scores[0].miou for photo in outcome.photos] == [1] * 4
    assert all(photo.scores[1].miou < 0.7 for photo in outcome.photos)
    assert (outcome.stopped, outcome.problems) == (False, ())
    assert told[0] == (0, "0 of 4 photos")
    assert told[3][0] == 0.75
    assert "photos/s" in told[3][1]
    assert told[3][1].endswith(" left")


def test_a_photo_that_fails_is_listed_and_the_rest_goes_on() -> None:
    outcome = run(3, reader(0, fails_on=2))
    assert [p.pair.photo for p in outcome.photos] == ["images/0.png", "images/2.png"]
    (problem,) = outcome.problems
    assert (problem.name, problem.reason) == (
        "images/1.png",
        "There is not enough memory for this photo.",
    )


def test_a_file_that_is_damaged_by_then_is_listed() -> None:
    source, checked = brought(2)

    def read(name: str) -> bytes:
        if name == "images/0.png":
            raise ArchiveError("The file is damaged inside the zip. Make the zip again.")
        return source.read(name)

    outcome = evaluate(checked, read, of_order("bisenet"), [(A, every(reader(0)))], "whole")
    assert len(outcome.photos) == 1
    assert "damaged" in outcome.problems[0].reason


def test_a_stopped_run_keeps_what_is_done() -> None:
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 2

    outcome = run(5, reader(0), stop=stop)
    assert (len(outcome.photos), outcome.stopped) == (2, True)
    assert [p.name for p in outcome.problems] == [f"images/{i}.png" for i in (2, 3, 4)]
    assert "stopped" in outcome.problems[0].reason


@pytest.mark.parametrize(
    ("done", "seconds", "says"),
    [
        (0, 3.0, "0 of 98 photos"),
        (12, 3.0, "12 of 98 photos, 4.0 photos/s, 22 s left"),
        (2, 40.0, "2 of 98 photos, 20 s a photo, 32 min left"),
    ],
)
def test_progress_has_rate_and_time_left(done: int, seconds: float, says: str) -> None:
    assert progress_line(done, 98, seconds) == says


def test_the_document_is_json_with_both_sides_and_what_was_left_out() -> None:
    outcome = run(11, reader(0), reader(24, fails_on=3))
    document = json.loads(report.as_json(outcome))
    assert document["images"] == 10
    assert document["miou"] == 1
    assert document["second"]["miou"] < 0.7
    assert document["not_scored"] == {"images/2.png": "There is not enough memory for this photo."}
    (mean,) = [row for row in document["differences"]["iou"] if row["class"] == "mean"]
    assert mean["beyond_chance"]
    assert mean["difference"] == pytest.approx(document["second"]["miou"] - 1)
    assert len(document["calibration"]["bins"]) == 15
    assert document["calibration"]["bins"][0]["accuracy"] is None
    assert [row["photo"] for row in document["photos"]] == [f"{i}.png" for i in range(11) if i != 2]
    pixels = np.array(document["second"]["confusion"]["pixels"])
    assert pixels.shape == (len(document["confusion"]["classes"]),) * 2 == (19, 19)
    assert pixels.sum() == 10 * SIZE * SIZE
    assert np.trace(pixels) < pixels.sum() == np.trace(document["confusion"]["pixels"])


def test_tables_hold_every_photo_class_and_confusion() -> None:
    outcome = run(3, reader(24))
    photos = report.photo_table(outcome)
    assert photos["miou"].is_monotonic_increasing
    assert set(photos["photo"]) == {"0.png", "1.png", "2.png"}
    by_class = photos.filter(regex="^iou_")
    assert by_class.shape == (3, 19)
    np.testing.assert_allclose(by_class.mean(axis=1), photos["miou"])
    total = sum(score.confusion for score in outcome.scores_of(0))
    confusions = report.confusion_table(np.asarray(total))
    assert len(confusions) == 19 * 19
    assert confusions["pixels"].sum() == 3 * SIZE * SIZE
    shares = confusions.groupby("truth")["share_of_truth"].sum()
    np.testing.assert_allclose(shares, 1)


def test_photos_of_one_name_keep_their_folders() -> None:
    sets = [brought(1, f"{name}/") for name in ("train", "val")]
    files = {c.pair.photo: source for source, (c,) in sets}
    files |= {c.pair.mask: source for source, (c,) in sets}
    outcome = evaluate(
        [c for _, (c,) in sets],
        lambda name: files[name].read(name),
        of_order("bisenet"),
        [(A, every(reader(0)))],
        "whole",
    )
    assert report.shown_names(outcome) == ["train/images/0.png", "val/images/0.png"]


def test_a_photo_that_waits_for_its_turn_when_the_run_is_stopped_is_not_scored() -> None:
    stopped: list[bool] = []

    def parse(photo: bytes, then: Callable[[Photo, Parsing], T], /) -> T:
        if photo == first:
            return reader(0)(photo, then)
        stopped.append(True)
        raise Cancelled

    source, checked = brought(3)
    first = source.read(checked[0].pair.photo)
    outcome = evaluate(
        checked,
        source.read,
        of_order("bisenet"),
        [(A, every(parse))],
        "whole",
        stop=lambda: bool(stopped),
    )
    assert outcome.stopped
    assert len(outcome.photos) == 1
    assert [one.reason for one in outcome.problems] == [
        "Not scored: the run was stopped before."
    ] * 2
