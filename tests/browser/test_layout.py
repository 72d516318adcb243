"""Where things stand: the photo first, and all that one looks at on one screen."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests.browser.test_pages import upload
from tests.browser.viewer_page import ViewerPage

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


LAPTOP = 900
PHONE_HIGH = 844
ON_SCREEN = """() => {
  const { left, right, top, bottom, width } = document.activeElement.getBoundingClientRect();
  return width > 4 && left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight;
}"""
DROP = """async ([name, data]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type: "image/jpeg" }));
  const target = document.querySelector('[data-testid="stMain"]');
  for (const kind of ["dragover", "drop"]) {
    const options = { bubbles: true, cancelable: true, dataTransfer: transfer };
    target.dispatchEvent(new DragEvent(kind, options));
  }
}"""


@pytest.fixture
def wide(portrait: Image.Image, tmp_path: Path) -> Path:
    """A photo three times as wide as high."""
    sheet = Image.new("RGB", (1200, 400), (120, 130, 140))
    sheet.paste(portrait.resize((380, 380)), (400, 10))
    path = tmp_path / "wide.jpg"
    sheet.save(path, quality=95)
    return path


def place(one: Locator) -> dict[str, float]:
    box = one.bounding_box()
    assert box is not None
    x, y, width, height = box["x"], box["y"], box["width"], box["height"]
    sides = {"right": x + width, "bottom": y + height}
    return {"x": x, "y": y, "width": width, "height": height, **sides}


def test_photo_table_and_tools_are_on_one_laptop_screen(
    page: Page, base: str, photo: Path, wide: Path
) -> None:
    view = ViewerPage(page, base).open()
    upload(page, photo)
    page.get_by_text("1 of at most 20 photos").wait_for()
    view.ready()
    stage, table = place(view.stage), place(page.get_by_test_id("stDataFrame").first)
    assert stage["y"] < 160, "the photo begins at the top"
    assert stage["bottom"] < LAPTOP
    assert table["y"] < 200, "the table stands beside a portrait"
    assert table["bottom"] < LAPTOP
    assert table["right"] <= 1440
    frame = place(page.locator(".viewer .picture"))
    assert stage["width"] > 0.9 * frame["width"], "the frame is as wide as the portrait needs"
    for name in ("Download", "Before / after", "Zoom in"):
        assert place(view.button(name))["bottom"] < LAPTOP
    assert place(view.switch("hair"))["bottom"] < LAPTOP

    # Tools stand in tasks: the open one's are there, the others' are not.
    assert not page.locator(".viewer .mark").is_visible()
    assert not page.get_by_role("combobox", name="Compare with").is_visible()
    page.get_by_role("radio", name="Edit", exact=True).click()
    assert page.locator(".viewer .mark").is_visible()
    assert view.button("Dismiss face 1").is_visible()
    page.keyboard.press("ArrowLeft")
    assert page.get_by_role("combobox", name="Compare with").is_visible()

    # Under a wide photo the table stands in the corner that picture and switches leave.
    upload(page, wide)
    page.get_by_text("2 of at most 20 photos").wait_for()
    view.ready()
    frame, table = (
        place(page.locator(".viewer .picture")),
        place(page.get_by_test_id("stDataFrame").first),
    )
    assert frame["bottom"] < table["y"] < LAPTOP - 200
    assert table["right"] < place(page.locator(".viewer .panel"))["x"]

    page.get_by_role("button", name="Remove wide.jpg").click()
    page.get_by_text("1 of at most 20 photos").wait_for()


def test_the_first_stops_of_tab_are_seen_and_a_dropped_photo_is_taken(
    page: Page, base: str, photo: Path
) -> None:
    page.goto(f"{base}/batch")
    page.get_by_text("Many photos at once").wait_for()
    # The sidebar is folded away a moment after the page has come.
    page.locator('[data-testid="stSidebar"] [data-testid="stLogoLink"]').wait_for(state="hidden")
    for stop in range(6):
        page.keyboard.press("Tab")
        page.wait_for_timeout(150)  # the link to the content slides in
        where = page.evaluate("document.activeElement.outerHTML").partition(">")[0]
        assert page.evaluate(ON_SCREEN), f"stop {stop + 1} is not on the screen: {where}"
    page.get_by_role("link", name="Explore").click()
    ViewerPage(page, base).ready()
    data = base64.b64encode(photo.read_bytes()).decode()
    page.evaluate(DROP, [photo.name, data])
    page.get_by_text("1 of at most 20 photos").wait_for()


def test_on_a_phone_the_table_stands_under_a_wide_photo(phone: Page, base: str, wide: Path) -> None:
    view = ViewerPage(phone, base).open()
    upload(phone, wide)
    phone.locator(".strip [role=radio]").first.wait_for()
    view.settle(500)
    photo = place(phone.locator(".st-key-look-photo"))
    assert photo["width"] > 340
    table = place(phone.locator(".st-key-look-rest"))
    assert table["width"] > 340
    # In one reading of both: the page may still be settling.
    assert phone.evaluate(
        """() => {
          const at = (name) => document.querySelector(name).getBoundingClientRect();
          return at(".st-key-look-rest").top >= at(".st-key-look-photo").bottom;
        }"""
    )


def test_on_a_phone_the_photo_stays_while_its_switches_are_scrolled(phone: Page, base: str) -> None:
    view = ViewerPage(phone, base).open()
    assert place(view.stage)["y"] < 200
    phone.get_by_test_id("stMain").evaluate("main => main.scrollTo(0, 700)")
    view.settle()
    stage, hair = place(view.stage), place(view.switch("hair"))
    assert stage["y"] >= 0, "the photo is in sight"
    assert stage["bottom"] < hair["y"], "and covers no switch"
    assert hair["bottom"] < PHONE_HIGH
    view.switch("hair").tap()
    assert not view.is_on("hair")
    phone.get_by_test_id("stMain").evaluate("main => main.scrollTo(0, 0)")

    phone.locator(".st-key-camera_on label").tap()
    phone.get_by_text("This app would like to use your camera").wait_for()
    assert place(phone.get_by_test_id("stCameraInput"))["height"] < PHONE_HIGH / 4

    phone.get_by_test_id("stExpandSidebarButton").tap()
    phone.get_by_test_id("stSidebarNavLink").filter(has_text="Timing").tap()
    phone.get_by_role("tab", name="History").wait_for()
    phone.locator('[data-testid="stSidebar"][data-collapsed="true"]').wait_for(state="attached")
