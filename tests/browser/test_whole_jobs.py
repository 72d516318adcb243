"""Whole jobs in the real app: several people in a photo, their numbers and their files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests.browser.test_pages import upload
from tests.browser.test_viewer_faces import drag
from tests.browser.viewer_page import ViewerPage

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import AppServer

COUNT_WRITES = """
  window.written = 0;
  const write = history.replaceState.bind(history);
  history.replaceState = (...all) => { window.written += 1; return write(...all); };
"""


@pytest.fixture(scope="module")
def base(app_server: AppServer) -> str:
    """The real app."""
    return app_server("streamlit_app.py")


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
    for number, left in ((4, 0.42), (5, 0.62)):
        mark(view, (left, 0.75), (left + 0.08, 0.95))
        view.button(f"Face {number} of {number}").wait_for()
        view.ready()
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
