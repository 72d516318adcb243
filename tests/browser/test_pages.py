"""The app as a person uses it: upload, look, switch, compare, download, on a desk and a phone."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from tests.browser.viewer_page import ViewerPage
from tests.conftest import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.browser.conftest import NewPage

SCREENSHOTS = ROOT / "tests" / "browser" / "screenshots"


def upload(page: Page, *photos: Path) -> None:
    page.locator("input[type=file]").first.set_input_files([str(p) for p in photos])


def open_explore(page: Page, base: str) -> ViewerPage:
    return ViewerPage(page, base).open()


def picture(stage: Locator) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(stage.screenshot())).convert("RGB"), dtype=int)


def saved(page: Page, label: str) -> bytes:
    with page.expect_download() as download:
        page.get_by_role("button", name=label).click()
    return Path(download.value.path()).read_bytes()


def test_an_uploaded_photo_is_parsed_and_a_class_switched_off(
    page: Page, base: str, photo: Path
) -> None:
    view = open_explore(page, base)
    upload(page, photo)
    page.get_by_text("1 of at most 20 photos").wait_for()
    view.ready()
    page.mouse.move(5, 5)
    view.settle(800)
    before = picture(view.stage)
    view.switch("hair").click()
    page.mouse.move(5, 5)
    view.settle(800)
    after = picture(view.stage)
    changed = (np.abs(after - before).max(axis=2) > 24).mean()
    assert 0.05 < changed < 0.9, f"{100 * changed:.1f} % of the picture changed"
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "explore.png")


def test_a_bad_file_is_a_sentence_and_the_picture_stays(
    page: Page, base: str, photo: Path, tmp_path: Path
) -> None:
    view = open_explore(page, base)
    upload(page, photo)
    page.get_by_text("1 of at most 20 photos").wait_for()
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    upload(page, broken)
    page.get_by_text("This is not an image that can be read").wait_for()
    view.ready()
    assert page.get_by_text("1 of at most 20 photos").is_visible()
    assert "Traceback" not in page.content()


def test_downloads_follow_the_switches(page: Page, base: str) -> None:
    view = open_explore(page, base)
    view.button("Hide all regions").click()
    view.switch("hair").click()
    view.button("Download").click()
    cut_out = Image.open(io.BytesIO(saved(page, "Cut-out of the shown region, PNG")))
    assert cut_out.mode == "RGBA"
    mask = Image.open(io.BytesIO(saved(page, "Mask, PNG")))
    assert mask.mode == "P"
    hair = np.asarray(mask) == 17
    assert int((np.asarray(cut_out)[..., 3] == 255).sum()) == int(hair.sum())
    document = json.loads(saved(page, "COCO RLE, JSON"))
    assert {a["category_id"] for a in document["annotations"]} >= {1, 10, 17}


def test_everything_comes_as_a_zip(page: Page, base: str) -> None:
    open_explore(page, base).button("Download").click()
    page.get_by_role("button", name="Make a ZIP of everything").click()
    archive = zipfile.ZipFile(io.BytesIO(saved(page, "Everything, ZIP")))
    assert archive.testzip() is None
    assert any(name.endswith("coco.json") for name in archive.namelist())


def test_two_photos_side_by_side(page: Page, base: str, photo: Path) -> None:
    view = open_explore(page, base)
    upload(page, photo)
    page.get_by_text("1 of at most 20 photos").wait_for()
    page.get_by_role("radio", name="Compare").click()
    page.get_by_role("combobox", name="Compare with").select_option("the sample")
    page.get_by_text("Pixels with another label").wait_for()
    view.ready()
    assert page.locator(".viewer .stage").count() == 2
    assert page.get_by_alt_text("Pixels whose label differs, in red").is_visible()


def test_a_click_in_the_picture_chooses_the_region(page: Page, base: str) -> None:
    view = ViewerPage(page, f"{base}/regions").open()
    page.get_by_role("heading", name="Hair").wait_for()
    # The middle of a face that fills its crop is its nose.
    box = page.locator(".viewer .stage").first.bounding_box()
    assert box is not None
    labels = np.asarray(sample_mask())
    rows, columns = np.nonzero(labels == 10)
    fraction = (columns.mean() / labels.shape[1], rows.mean() / labels.shape[0])
    view.click(fraction)
    page.get_by_role("heading", name="Nose").wait_for()


def sample_mask() -> np.ndarray:
    from bisenet import FaceParser
    from bisenet.images import samples

    return FaceParser().parse(samples.astronaut_face()).mask


def test_a_shared_address_restores_the_view_on_another_page(page: Page, base: str) -> None:
    view = ViewerPage(page, f"{base}/regions").open("?hide=hair&opacity=30")
    assert not view.is_on("hair")
    page.get_by_role("link", name="Explore").click()
    view.ready()
    assert not view.is_on("hair")
    assert view.is_on("skin")


@pytest.mark.parametrize("path", ["", "regions"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_a_phone(new_page: NewPage, base: str, path: str, scheme: str) -> None:
    page = new_page(
        viewport={"width": 390, "height": 844},
        has_touch=True,
        is_mobile=True,
        color_scheme=scheme,
    )
    ViewerPage(page, f"{base}/{path}".rstrip("/")).open()
    overflow = page.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow <= 0
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{path or 'explore'}-phone-{scheme}.png")
