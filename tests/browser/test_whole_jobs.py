"""Whole jobs in the real app: several people in a photo, their numbers and their files."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bisenet.classes import CLASSES
from bisenet.dashboard.session import visitors
from tests.browser.test_pages import upload
from tests.browser.test_viewer_faces import drag
from tests.browser.viewer_page import ViewerPage
from tests.deploy.replicas import Replica

if TYPE_CHECKING:
    from playwright.sync_api import Dialog, Page

    from tests.browser.conftest import NewPage

COUNT_WRITES = """
  window.written = 0;
  const write = history.replaceState.bind(history);
  history.replaceState = (...all) => { window.written += 1; return write(...all); };
"""

# How far the picture has moved on the page since, in pixels, at most.
WATCH_STAGE = """() => {
  const find = (root) => root.querySelector(".stage")
    ?? [...root.querySelectorAll("*")].map((e) => e.shadowRoot && find(e.shadowRoot)).find(Boolean);
  const top = () => find(document)?.getBoundingClientRect().top;
  const first = top();
  window.moved = 0;
  const look = () => {
    const now = top();
    if (now !== undefined) window.moved = Math.max(window.moved, Math.abs(now - first));
    requestAnimationFrame(look);
  };
  look();
}"""

# Pixels of the overlay that have a colour.
DRAWN_IN = """(color) => {
  const find = (root) => root.querySelector("canvas.overlay")
    ?? [...root.querySelectorAll("*")].map((e) => e.shadowRoot && find(e.shadowRoot)).find(Boolean);
  const canvas = find(document);
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let i = 0; i < data.length; i += 4) {
    count += data[i + 3] > 90 && color.every((value, k) => Math.abs(data[i + k] - value) < 8);
  }
  return count;
}"""


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory, portrait: Image.Image) -> Path:
    """Three people side by side, the middle one smaller."""
    sheet = Image.new("RGB", (1300, 520), (120, 130, 140))
    mirrored = portrait.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for face, side, left in ((portrait, 500, 0), (mirrored, 280, 510), (mirrored, 480, 800)):
        sheet.paste(face.resize((side, side)), (left, 10))
    path = tmp_path_factory.mktemp("people") / "people.jpg"
    sheet.save(path, quality=95)
    return path


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, portrait: Image.Image) -> Path:
    """One person."""
    path = tmp_path_factory.mktemp("alone") / "alone.jpg"
    portrait.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(path, quality=95)
    return path


def choose(page: Page, box: str, option: str) -> None:
    found = page.get_by_role("combobox", name=box, exact=True)
    found.scroll_into_view_if_needed()
    page.wait_for_timeout(400)  # a list closes when the page scrolls
    found.click()
    page.get_by_role("option", name=option, exact=True).click()


def mark(view: ViewerPage, start: tuple[float, float], end: tuple[float, float]) -> None:
    view.button("Mark a face").click()
    view.page.locator(".viewer .sheet").wait_for()
    drag(view, start, end)


def test_faces_marked_and_another_photo_added_leave_the_page_alive(
    page: Page, base: str, people: Path, alone: Path
) -> None:
    page.add_init_script(COUNT_WRITES)
    view = ViewerPage(page, base).open()
    upload(page, people)
    view.button("Face 3 of 3").wait_for()
    view.ready()
    page.get_by_text("3 faces found. Someone missing?").wait_for()
    top = view.stage.bounding_box()
    page.evaluate(WATCH_STAGE)
    for number, left in ((4, 0.42), (5, 0.62)):
        mark(view, (left, 0.75), (left + 0.08, 0.95))
        view.button(f"Face {number} of {number}").wait_for()
        view.ready()
    assert view.stage.bounding_box() == top
    assert page.evaluate("window.moved") == 0, "the picture jumped while a face was marked"
    drawn = view.page.locator(".viewer .face[data-box]").evaluate_all(
        "all => all.map((one) => one.dataset.box.split(' ').map(Number))"
    )
    kept = [box for box in drawn if abs(box[0] - 0.42 * 1300) < 4 or abs(box[0] - 0.62 * 1300) < 4]
    assert [round(box[2] - box[0]) for box in kept] == pytest.approx([104, 104], abs=4)
    page.get_by_text("5 faces found").wait_for()
    upload(page, alone)
    view.button("Face 5 of 5").wait_for(state="detached")
    view.ready()
    view.switch("hair").click()
    assert not view.is_on("hair")
    view.settle(1000)
    written = page.evaluate("window.written")
    assert written < 60, f"the address was written {written} times"
    assert "%20" not in page.url
    assert " " not in page.url


def table_of(data: bytes) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(data), encoding="utf-8-sig")


def download(page: Page, label: str) -> tuple[str, bytes]:
    with page.expect_download() as begun:
        page.get_by_role("button", name=label, exact=True).click()
    return begun.value.suggested_filename, Path(begun.value.path()).read_bytes()


def test_files_and_regions_are_of_the_chosen_face(page: Page, base: str, people: Path) -> None:
    view = ViewerPage(page, base).open()
    upload(page, people)
    view.button("Face 2 of 3").click()
    page.wait_for_url("**face=2**")
    view.ready()
    view.button("Download").click()
    name, data = download(page, "Regions, CSV")
    assert name == "people-face-2-regions.csv"
    one = table_of(data).set_index("name")["area_px"]
    name, data = download(page, "COCO RLE, JSON")
    assert name == "people-face-2-coco.json"
    assert {a["face"] for a in json.loads(data)["annotations"]} == {2}
    name, data = download(page, "Mask, PNG")
    assert name == "people-face-2-mask.png"
    assert int((np.asarray(Image.open(io.BytesIO(data))) == 17).sum()) == one["hair"]
    page.get_by_text("Each face separately").click()
    page.get_by_role("button", name="COCO RLE, ZIP", exact=True).wait_for()
    name, data = download(page, "Mask, ZIP")
    assert name == "people-each-face-mask.zip"
    names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    assert names == [f"people-face-{i}-mask.png" for i in (1, 2, 3)]
    name, data = download(page, "Regions, CSV")
    assert name == "people-each-face-regions.csv"
    each = table_of(data)
    assert each[each["face"] == 2].set_index("name")["area_px"]["hair"] == one["hair"]
    page.get_by_text("All faces", exact=True).click()
    page.get_by_role("button", name="COCO RLE, JSON", exact=True).wait_for()
    name, data = download(page, "Regions, CSV")
    assert name == "people-all-faces-regions.csv"
    assert (
        table_of(data).set_index("name")["area_px"]["hair"]
        == each[each["name"] == "hair"]["area_px"].sum()
    )
    name, data = download(page, "COCO RLE, JSON")
    annotations = json.loads(data)["annotations"]
    assert len(annotations) == len({(a["face"], a["category_id"]) for a in annotations})
    assert {a["face"] for a in annotations} == {1, 2, 3}
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    page.get_by_role("dialog").wait_for(state="detached")

    view.switch("hair").click()
    page.get_by_role("link", name="Regions").click()
    page.wait_for_url("**/regions**")
    page.get_by_role("heading", name="The whole face").wait_for()
    view.ready()
    assert page.get_by_role("combobox", name="Face", exact=True).input_value() == "Face 2"
    assert page.get_by_text(f"{one['hair']:,} px").is_visible()
    # Hair is hidden in Explore; Regions, which has no switches, draws it.
    color = [int(CLASSES[17].color[i : i + 2], 16) for i in (1, 3, 5)]
    assert page.evaluate(DRAWN_IN, color) > 500
    row = table_of(data=data_of(page, "Areas, CSV")).set_index("name").loc["hair"]
    assert row["area_px"] == one["hair"]
    assert row["right_px"] - row["left_px"] < 520
    view.button("Keys and gestures").click()
    assert page.locator(".viewer .hint:not([hidden])").count() == 1
    page.keyboard.press("Escape")
    assert page.locator(".viewer .hint:not([hidden])").count() == 0


def data_of(page: Page, label: str) -> bytes:
    return download(page, label)[1]


def test_a_reload_and_a_second_tab_find_the_photos(
    new_page: NewPage, tmp_path: Path, alone: Path
) -> None:
    server = Replica(tmp_path / "server.log").start()
    try:
        server.wait_ready()
        page = new_page()
        view = ViewerPage(page, server.url).open()
        upload(page, alone)
        page.get_by_text("1 of at most 20 photos").wait_for()
        (cookie,) = [c for c in page.context.cookies() if c["name"] == visitors.COOKIE]
        assert cookie["httpOnly"]
        assert cookie["sameSite"] == "Lax"
        assert len(cookie["value"]) == 43
        view.ready()
        page.reload()
        page.get_by_text("1 of at most 20 photos").wait_for()
        other = page.context.new_page()
        other.goto(server.url)
        other.get_by_text("1 of at most 20 photos").wait_for()
        stranger = new_page()
        ViewerPage(stranger, server.url).open()
        stranger.get_by_text("This is a sample").wait_for()
        other.get_by_role("button", name="Remove this photo").click()
        other.get_by_text("This is a sample").wait_for()
        page.reload()
        page.get_by_text("This is a sample").wait_for()
    finally:
        server.kill()


def test_where_a_reload_loses_the_photos_that_is_said_before(
    page: Page, base: str, alone: Path
) -> None:
    ViewerPage(page, base).open()
    upload(page, alone)
    page.get_by_text("1 of at most 20 photos").wait_for()
    asked: list[str] = []

    def accept(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", accept)
    page.get_by_role("link", name="Regions").click()
    page.get_by_role("heading", name="The whole face").wait_for()
    page.reload()
    assert asked == ["beforeunload"]
