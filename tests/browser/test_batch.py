"""The Batch view as a person uses it, with a zip of real faces; and the end of a real session."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.conftest import LABELLED, ROOT, needs_labelled_faces
from tests.waiting import until

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import AppServer, NewPage

PATIENCE_MS = 180_000
FACES = 12
# Enough that a quick machine is still at work when a person comes to stop it.
MANY_FACES = 90


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """A zip of labelled faces, and of a few things that are none."""
    return zip_of_faces(tmp_path, FACES)


def zip_of_faces(folder: Path, count: int) -> Path:
    archive = folder / "faces.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for path in sorted((LABELLED / "val" / "images").glob("*.jpg"))[:count]:
            zipped.write(path, path.name)
        zipped.writestr("../out.jpg", b"out")
        zipped.writestr("broken.jpg", b"no picture")
    return archive


def begin(page: Page, base: str, *files: Path) -> None:
    page.goto(f"{base}/batch")
    page.locator("input[type=file]").first.set_input_files([str(path) for path in files])
    page.get_by_text("Aligned face crops").click()
    start = page.get_by_role("button", name="Parse 1 file")
    start.wait_for()
    start.click()


def saved(page: Page, label: str) -> bytes:
    with page.expect_download(timeout=PATIENCE_MS) as download:
        page.get_by_role("button", name=label).click()
    return Path(download.value.path()).read_bytes()


@needs_labelled_faces
def test_a_zip_of_faces_gives_table_charts_and_masks(page: Page, base: str, faces: Path) -> None:
    begin(page, base, faces)
    # It goes on while its person is elsewhere.
    page.get_by_role("button", name="Stop").wait_for()
    page.get_by_role("link", name="Timing").click()
    page.get_by_role("tab", name="History").wait_for()
    page.get_by_role("link", name="Batch").click()
    page.get_by_role("button", name="New batch").wait_for(timeout=PATIENCE_MS)
    page.get_by_text(f"{FACES} faces").first.wait_for()
    page.get_by_text("2 files without a result, and why").wait_for()

    table = pd.read_csv(io.BytesIO(saved(page, "Table, CSV")))
    typed = pd.read_parquet(io.BytesIO(saved(page, "Table, Parquet")))
    assert table["photo"].nunique() == typed["photo"].nunique() == FACES
    assert len(table) == len(typed)
    with zipfile.ZipFile(io.BytesIO(saved(page, "Masks, ZIP"))) as masks:
        assert len(masks.namelist()) == FACES
        one = masks.namelist()[0]
        mask = np.asarray(Image.open(io.BytesIO(masks.read(one))))
    rows = typed[typed["photo"] == one.replace(".png", ".jpg")]
    areas = dict(zip(rows["class_id"], rows["area_px"], strict=True))
    assert areas == {int(i): int((mask == i).sum()) for i in np.unique(mask) if i}

    for tab, selector in (
        ("Distributions", ".js-plotly-plot .violinlayer, .js-plotly-plot .boxlayer"),
        ("Scatter", ".js-plotly-plot .scatterlayer .point"),
        ("Thumbnails", "[data-testid=stImage] img"),
    ):
        page.get_by_role("tab", name=tab).click()
        page.locator(selector).first.wait_for(state="attached")
    assert page.locator("[data-testid=stImage] img").count() == FACES
    page.locator("[class*=st-key-batch-open-] button").first.click()
    page.get_by_text("1 of at most 20 photos").wait_for()
    # The photo's table of regions, in Explore.
    page.locator(".st-key-look-rest").get_by_test_id("stDataFrame").wait_for()


@needs_labelled_faces
def test_a_stopped_batch_keeps_what_is_done(page: Page, base: str, tmp_path: Path) -> None:
    begin(page, base, zip_of_faces(tmp_path, MANY_FACES))
    page.get_by_text("photos/s").or_(page.get_by_text("s a photo")).first.wait_for()
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("Stopped after").wait_for(timeout=PATIENCE_MS)
    table = pd.read_csv(io.BytesIO(saved(page, "Table, CSV")))
    assert 1 <= table["photo"].nunique() < MANY_FACES
    page.get_by_role("button", name="New batch").click()
    page.get_by_text("Many photos at once").wait_for()
    assert "Traceback" not in page.content()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_empty_page_fits_a_phone(new_page: NewPage, base: str, scheme: str) -> None:
    page = new_page(
        viewport={"width": 390, "height": 844},
        has_touch=True,
        is_mobile=True,
        color_scheme=scheme,
    )
    page.goto(f"{base}/batch")
    page.get_by_text("Many photos at once").wait_for()
    overflow = page.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow <= 0


def test_a_job_ends_when_its_browser_has_gone(
    app_server: AppServer, new_page: NewPage, tmp_path: Path
) -> None:
    script = ROOT / "tests" / "browser" / "jobs_app.py"
    base = app_server(script, {"JOBS_APP_FOLDER": str(tmp_path)})
    pages = {name: new_page() for name in ("left", "stays")}
    for name, page in pages.items():
        page.goto(f"{base}/?name={name}")
        page.get_by_text(f"{name} is here").wait_for()
        until(lambda name=name: (tmp_path / f"{name} began").exists())  # type: ignore[misc]
    pages["left"].context.close()
    until(lambda: (tmp_path / "left ended").exists())
    works = tmp_path / "stays works"
    seen = works.stat().st_size
    until(lambda: works.stat().st_size >= seen + 20)
    assert not (tmp_path / "stays ended").exists()
