"""The Evaluate view as a person uses it: bring a zip, score it, look at the worst photo."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.test_pages import SCREENSHOTS, saved
from tests.conftest import LABELLED, needs_labelled_faces

if TYPE_CHECKING:
    from playwright.sync_api import Page


SCORING_MS = 240_000  # of a busy shared machine
FACES = 3


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Three labelled faces, a photo without a mask, and a text, in a zip."""
    path = tmp_path / "faces.zip"
    photos = sorted((LABELLED / "val" / "images").iterdir())[: FACES + 1]
    with zipfile.ZipFile(path, "w") as archive:
        for photo in photos:
            archive.write(photo, f"val/images/{photo.name}")
        for photo in photos[:FACES]:
            mask = LABELLED / "val" / "masks" / f"{photo.stem}.png"
            archive.write(mask, f"val/masks/{photo.stem}.png")
        archive.writestr("val/notes.txt", "notes")
    return path


def open_evaluate(page: Page, base: str) -> None:
    page.goto(f"{base}/evaluate")
    page.get_by_text("Where is the network right").wait_for()
    page.get_by_test_id("stFileUploaderDropzone").wait_for()


@needs_labelled_faces
def test_a_zip_is_scored_and_the_worst_photo_is_looked_at(
    page: Page, base: str, faces: Path
) -> None:
    open_evaluate(page, base)
    page.locator("input[type=file]").first.set_input_files(str(faces))
    page.get_by_text(f"{FACES} pairs of photo and mask, 512 x 512 px").wait_for()
    page.get_by_text("2 files take no part").wait_for()
    page.get_by_text("Id 13 covers").wait_for()
    page.get_by_role("button", name=f"Score {FACES} photos").click()
    page.get_by_text(f"Scores on {FACES} photos").wait_for(timeout=SCORING_MS)
    report = json.loads(saved(page, "Everything, JSON"))
    assert report["images"] == FACES
    shown = page.get_by_test_id("stMetricValue").first.inner_text().strip()
    assert shown == f"{100 * report['miou']:.1f} %"

    page.get_by_role("tab", name="Photos").click()
    page.get_by_alt_text("Pixels whose label is wrong, in red").wait_for(timeout=SCORING_MS)
    page.locator(".viewer .stage").nth(1).wait_for()
    assert page.locator(".viewer .stage").count() == 2
    worst = next(iter(report["worst"]))
    # The table is drawn on a canvas; the list above the viewer is text.
    assert worst in page.get_by_role("combobox", name="Photo in the viewer").input_value()
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "evaluate.png")

    page.get_by_role("link", name="Timing").click()
    page.get_by_role("tab", name="History").wait_for()
    page.get_by_role("link", name="Evaluate").click()
    page.get_by_text(f"Scores on {FACES} photos").wait_for()


def test_a_file_that_is_no_zip_is_a_sentence(page: Page, base: str, tmp_path: Path) -> None:
    broken = tmp_path / "faces.zip"
    broken.write_bytes(b"no zip")
    open_evaluate(page, base)
    page.locator("input[type=file]").first.set_input_files(str(broken))
    page.get_by_text("This is not a zip that can be read").first.wait_for()
    page.get_by_text("Where is the network right").wait_for()
    assert "Traceback" not in page.content()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_empty_page_fits_a_phone(phone: Page, base: str, scheme: str) -> None:
    phone.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    open_evaluate(phone, base)
    overflow = phone.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow <= 0
