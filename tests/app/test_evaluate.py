from __future__ import annotations

import argparse
import io
import json
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from bisenet import parse_queue
from bisenet.cli import evaluate as command
from bisenet.dashboard.evaluate.page_state import Dataset, PageState, Run
from bisenet.dashboard.session import script_runs
from bisenet.evaluation import report, sources
from bisenet.evaluation.runner import Outcome
from tests.app.test_explore import texts
from tests.conftest import LABELLED, ROOT, needs_labelled_faces
from tests.waiting import PATIENCE_SECONDS, until

FACES = 8


@pytest.fixture
def page(app: AppTest) -> Iterator[AppTest]:
    """The Evaluate page of a session that has brought nothing; no work is left behind."""
    yield app.switch_page("pages/evaluate.py").run()
    dataset = state_of(app).dataset
    if dataset is not None:
        dataset.close()
        dataset.survey.join(PATIENCE_SECONDS)
        if dataset.run is not None:
            dataset.run.job.join(PATIENCE_SECONDS)


def state_of(page: AppTest) -> PageState:
    state: PageState = page.session_state["evaluate_state"]
    return state


def dataset_of(page: AppTest) -> Dataset:
    dataset = state_of(page).dataset
    assert dataset is not None
    return dataset


def run_of(page: AppTest) -> Run:
    run = dataset_of(page).run
    assert run is not None
    return run


def outcome_of(page: AppTest) -> Outcome:
    outcome = run_of(page).job.result
    assert outcome is not None
    return outcome


def stems(count: int) -> list[str]:
    return [p.stem for p in sorted((LABELLED / "val" / "images").iterdir())][:count]


def files_of(count: int) -> dict[str, bytes]:
    folder = LABELLED / "val"
    names = [(f"images/{s}.jpg", f"masks/{s}.png") for s in stems(count)]
    return {name: (folder / name).read_bytes() for pair in names for name in pair}


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def png(pixels: object, mode: str | None = None) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8), mode).save(out, "PNG")
    return out.getvalue()


def bring(page: AppTest, data: bytes, name: str = "faces.zip") -> AppTest:
    page.file_uploader[0].set_value((name, data, "application/zip")).run()
    return settled(page, lambda: not dataset_of(page).survey.running)


def settled(page: AppTest, condition: Callable[[], bool]) -> AppTest:
    until(condition)
    page.run()
    assert not page.exception
    return page


def score(page: AppTest) -> AppTest:
    page.button(key="evaluate-start").click().run()
    return settled(page, lambda: not run_of(page).job.running)


def metrics(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def reasons(page: AppTest) -> dict[str, str]:
    table = next(t.value for t in page.dataframe if "reason" in t.value)
    return dict(zip(table["file"], table["reason"], strict=True))


def test_the_empty_page_says_what_to_bring_and_offers_nothing_else(page: AppTest) -> None:
    assert not page.exception
    assert "Where is the network right" in texts(page)
    assert "At most 50 MB and 64 megapixels a photo" in texts(page)
    assert "MB a zip" in texts(page)
    assert len(page.code) == 2
    assert not page.dataframe
    assert not page.metric
    assert [b.label for b in page.button if b.label.startswith("Score")] == []


@needs_labelled_faces
def test_the_scores_are_those_of_the_command(
    page: AppTest,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bring(page, zipped(files_of(FACES)))
    assert "Id 13 covers" in texts(page)
    score(page)
    found = json.loads(report.as_json(outcome_of(page)))

    for folder, suffix in (("images", "jpg"), ("masks", "png")):
        (tmp_path / folder).mkdir()
        for stem in stems(FACES):
            shutil.copy(LABELLED / "val" / folder / f"{stem}.{suffix}", tmp_path / folder)
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    assert command.run(parser.parse_args(["--data", str(tmp_path), "--json"])) == 0
    wanted = json.loads(capsys.readouterr().out)

    assert wanted.pop("not_scored") == {}
    assert wanted.pop("partial") is False
    of_the_command = {"looked_at", "faces_found", "seconds"}
    assert {key: found[key] for key in wanted.keys() - of_the_command} == {
        key: value for key, value in wanted.items() if key not in of_the_command
    }
    assert metrics(page)["mIoU"] == f"{100 * wanted['miou']:.1f} %"
    assert metrics(page)["Mean F1"] == f"{100 * wanted['mean_f1']:.1f} %"
    assert metrics(page)["Boundary F1"] == f"{100 * wanted['mean_boundary_f1']:.1f} %"
    assert 0 < found["calibration"]["expected_calibration_error"] < 0.5
    assert f"Scores on {FACES} photos" in texts(page)

    for tab, charts in (
        ("By class", 1),
        ("Confusions", 1),
        ("Photos", 0),
        ("Calibration", 1),
        ("Face size", 1),
    ):
        page.session_state["evaluate-tab"] = tab
        page.run()
        assert not page.exception
        assert not page.error
        assert len(page.get("plotly_chart")) == charts, tab
    counted, real = list[bool](), parse_queue.parse

    def watched(*args: Any, **options: Any) -> Any:
        counted.append(threading.get_ident() in script_runs._PROCESS._ends)
        return real(*args, **options)

    monkeypatch.setattr(parse_queue, "parse", watched)
    run_of(page).forget_view()
    page.session_state["evaluate-tab"] = "Photos"
    page.run()
    assert counted == [False], "a script that parses keeps no other page's waiting"
    worst = min(outcome_of(page).photos, key=lambda photo: photo.scores[0].miou)
    box = page.selectbox(key="evaluate_photo")
    assert outcome_of(page).photos[int(box.value or 0)] is worst
    assert "of the labelled pixels are wrong, in red" in texts(page)


@needs_labelled_faces
def test_a_stopped_run_keeps_what_is_done_and_outlives_a_page_change(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, calls, real = threading.Event(), [], parse_queue.parse

    def slow(*args: Any, **options: Any) -> Any:
        """A real parse; after the second photo it waits to be stopped."""
        calls.append(1)
        if len(calls) > 2:
            go_on.wait(PATIENCE_SECONDS)
        return real(*args, **options)

    monkeypatch.setattr(parse_queue, "parse", slow)
    bring(page, zipped(files_of(5)))
    page.button(key="evaluate-start").click().run()
    settled(page, lambda: len(calls) > 2)
    assert "2 of 5 photos" in page.get("progress")[0].proto.text
    assert " left" in page.get("progress")[0].proto.text
    page.switch_page("pages/timing.py").run()
    page.switch_page("pages/evaluate.py").run()
    assert not page.exception
    assert run_of(page).job.running
    page.button(key="evaluate-stop-Scoring").click().run()
    go_on.set()
    settled(page, lambda: not run_of(page).job.running)
    outcome = outcome_of(page)
    assert (len(outcome.photos), len(outcome.problems), outcome.stopped) == (2, 3, True)
    assert "The run was stopped: 2 of 5 photos are scored" in texts(page)
    assert metrics(page)["mIoU"].endswith("%")


@needs_labelled_faces
def test_two_engines_side_by_side_on_photos_whose_faces_are_searched(page: AppTest) -> None:
    bring(page, zipped(files_of(2)))
    page.toggle(key="evaluate-two").set_value(True).run()
    assert page.selectbox(key="evaluate-engine-B").value == "openvino"
    page.selectbox(key="evaluate-engine-B").set_value("auto").run()
    assert "A and B are the same" in texts(page)
    assert page.button(key="evaluate-start").disabled
    page.selectbox(key="evaluate-engine-B").set_value("openvino").run()
    page.segmented_control(key="evaluate-framing").set_value("auto").run()
    score(page)
    assert outcome_of(page).framing == "auto"
    assert all(min(photo.faces) == 1 for photo in outcome_of(page).photos)
    assert len(outcome_of(page).networks) == 2
    assert "It takes 10 photos or more to tell a difference from chance; these are 2." in texts(
        page
    )
    assert len(page.metric) == 8
    assert page.toggle(key="evaluate-two").value, "what was chosen is there for the next run"
    assert page.segmented_control(key="evaluate-framing").value == "auto"


@needs_labelled_faces
def test_a_mapping_says_what_ids_mean(page: AppTest) -> None:
    files = files_of(2)
    odd = f"masks/{stems(1)[0]}.png"
    ids = np.array(Image.open(io.BytesIO(files[odd])))
    ids[:8] = 77
    files[odd] = png(ids)
    bring(page, zipped(files))
    assert "Id 77 is no class here" in reasons(page)[odd]
    assert page.button(key="evaluate-start").label == "Score 1 photo"
    page.radio[0].set_value("mapping").run()
    assert not page.exception
    assert page.selectbox(key="evaluate-id-77").value is None
    assert page.selectbox(key="evaluate-id-13").value == 17
    assert page.button(key="evaluate-start").label == "Score 2 photos"
    score(page)
    counted = [int(photo.scores[0].confusion.sum()) for photo in outcome_of(page).photos]
    assert sorted(counted) == [512 * 504, 512 * 512]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"these are notes", "This is not a zip that can be read"),
        (zipped({}), "The zip is empty"),
        (zipped({"notes.txt": b"1"}), "Nothing in the zip can be used"),
        (zipped({"images/a.png": png(np.zeros((8, 8, 3)))}), "No mask has its name"),
    ],
)
def test_files_of_which_none_can_be_used_are_a_sentence(
    page: AppTest, data: bytes, says: str
) -> None:
    page.file_uploader[0].set_value(("faces.zip", data, "application/zip")).run()
    assert not page.exception
    assert says in page.error[0].value + str(reasons(page))
    assert state_of(page).dataset is None
    assert "Where is the network right" in texts(page)


def test_a_zip_that_is_too_large_is_a_sentence_with_the_limit(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "MAX_TOTAL_BYTES", 1 << 20)
    large = zipped({"images/a.png": bytes(2 << 20), "masks/a.png": b"1"})
    page.file_uploader[0].set_value(("faces.zip", large, "application/zip")).run()
    assert "Together they have 2 MB; the limit is 1 MB." in page.error[0].value
    assert state_of(page).dataset is None


def test_bad_pairs_are_listed_and_when_all_are_bad_that_is_said(page: AppTest) -> None:
    grey, skin = np.full((32, 32, 3), 127), np.ones((32, 32))
    bring(
        page,
        zipped(
            {
                "images/size.png": png(grey),
                "masks/size.png": png(np.ones((16, 32))),
                "images/colour.png": png(grey),
                "masks/colour.png": png(grey * (1, 0, 0)),
                "images/broken.png": b"no photo",
                "masks/broken.png": png(skin),
                "images/alone.png": png(grey),
                "masks/lonely.png": png(skin),
            }
        ),
    )
    assert "None of the pairs can be scored" in page.error[0].value
    assert reasons(page) == {
        "images/alone.png": "No mask has its name.",
        "masks/lonely.png": "No photo has its name.",
        "images/broken.png": "This is not an image that can be read.",
        "masks/colour.png": "A mask has one byte a pixel, its class id (an indexed or grey PNG); "
        "this one is in colour.",
        "images/size.png": "The photo has 32 x 32 pixels, its mask 32 x 16.",
    }


def test_a_release_is_scored_without_a_choice_of_ids(page: AppTest, portrait: Image.Image) -> None:
    photo = io.BytesIO()
    portrait.resize((256, 256)).save(photo, "JPEG")
    top, bottom = np.zeros((128, 128)), np.zeros((128, 128))
    top[:64], bottom[64:] = 255, 255
    parts = "CelebAMask-HQ-mask-anno/0/00000"
    files = {"CelebA-HQ-img/0.jpg": photo.getvalue()}
    files |= {f"{parts}_hair.png": png(top), f"{parts}_skin.png": png(bottom)}
    bring(page, zipped(files))
    assert "Each mask file shows one region" in texts(page)
    assert "Suggested" not in texts(page)
    score(page)
    (scored,) = outcome_of(page).photos
    assert scored.scores[0].confusion.sum(axis=1)[[1, 17]].tolist() == [128 * 64] * 2
    page.session_state["evaluate-tab"] = "Photos"
    page.run()
    assert not page.exception
    assert "of the labelled pixels are wrong, in red" in texts(page)


def test_what_is_there_stays_when_the_next_files_are_no_good(page: AppTest) -> None:
    good = {"a.png": png(np.zeros((16, 16, 3))), "a_mask.png": png(np.ones((16, 16)))}
    bring(page, zipped(good))
    before = dataset_of(page)
    page.file_uploader[0].set_value(("faces.zip", b"broken", "application/zip")).run()
    assert dataset_of(page) is before
    assert "This is not a zip" in page.error[0].value
    page.button(key="evaluate-remove").click().run()
    assert state_of(page).dataset is None
    assert "Where is the network right" in texts(page)


def test_scoring_imports_no_torch_where_openvino_serves(tmp_path: Path) -> None:
    path = tmp_path / "faces.zip"
    path.write_bytes(
        zipped({"a.png": png(np.zeros((16, 16, 3))), "a_mask.png": png(np.ones((16, 16)))})
    )
    script = f"""
import sys
from pathlib import Path
from streamlit.testing.v1 import AppTest

app = AppTest.from_file("streamlit_app.py", default_timeout=120).run()
app.switch_page("pages/evaluate.py").run()
data = Path({str(path)!r}).read_bytes()
app.file_uploader[0].set_value(("faces.zip", data, "application/zip")).run()
app.session_state["evaluate_state"].dataset.survey.join()
app.run().button(key="evaluate-start").click().run()
app.session_state["evaluate_state"].dataset.run.job.join()
app.run()
print(bool(app.exception), app.metric[0].label, "torch" in sys.modules, "openvino" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.split()[-4:] == ["False", "mIoU", "False", "True"]
