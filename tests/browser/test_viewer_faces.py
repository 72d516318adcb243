"""Faces by hand: boxed with a drag, a finger or the keys, dismissed, gone to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.browser.viewer_page import APP, ViewerPage

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import AppServer


@pytest.fixture
def view(app_server: AppServer, page: Page) -> ViewerPage:
    """The test app, not opened yet."""
    return ViewerPage(page, app_server(APP))


def message(view: ViewerPage, what: str) -> list[float]:
    """The numbers of the message that the server got."""
    text = view.page.get_by_text(re.compile(rf"message=\['{what}'")).inner_text()
    return [float(number) for number in re.findall(r"[\d.]+", text.partition(",")[2])]


def drag(view: ViewerPage, start: tuple[float, float], end: tuple[float, float]) -> None:
    mouse = view.page.mouse
    mouse.move(*view.at(start))
    mouse.down()
    mouse.move(*view.at(((start[0] + end[0]) / 2, end[1])))
    mouse.move(*view.at(end))
    mouse.up()


def test_a_drag_marks_a_face_in_photo_pixels(view: ViewerPage) -> None:
    view.open("?faces=1&marks=1")
    mark = view.button("Mark a face")
    mark.click()
    assert mark.get_attribute("aria-pressed") == "true"
    drag(view, (0.5, 0.5), (0.505, 0.505))
    assert mark.get_attribute("aria-pressed") == "true", "a slip of the hand is no rectangle"
    assert view.runs == 1
    drag(view, (0.75, 0.8), (0.25, 0.4))
    assert message(view, "box") == pytest.approx([160, 192, 480, 384], abs=2)
    view.button("Face 3 of 3").wait_for()
    view.wait_for_server("runs=2")  # told below the viewer, so later than its buttons
    view.settle()
    assert view.runs == 2, "one message"
    assert mark.get_attribute("aria-pressed") == "false"
    assert view.zoom == "100 %"
    assert "selected=None" in view.server


def test_marking_works_zoomed_and_escape_cancels(view: ViewerPage) -> None:
    view.open("?marks=1")
    view.button("Zoom in").click()
    view.button("Zoom in").click()
    view.button("Mark a face").click()
    view.page.mouse.move(*view.at((0.3, 0.3)))
    view.page.mouse.down()
    view.page.mouse.move(*view.at((0.6, 0.6)))
    view.page.keyboard.press("Escape")
    view.page.mouse.up()
    view.settle(400)
    assert view.page.locator(".viewer .sheet").count() == 0
    assert view.runs == 1
    view.button("Mark a face").click()
    drag(view, (0.25, 0.25), (0.75, 0.75))
    # 225 %: half of the stage is 640 / 2.25 / 2 pixels of the photo.
    assert message(view, "box") == pytest.approx([248.9, 186.7, 391.1, 293.3], abs=2)
    assert view.zoom == "225 %", "the drag has not panned"


def test_the_keys_mark_a_face(view: ViewerPage) -> None:
    view.open("?marks=1")
    view.button("Mark a face").focus()
    for key in ("Enter", "ArrowLeft", "Shift+ArrowDown", "Enter"):
        view.page.keyboard.press(key)
    # A square of 0.4 of the height in the middle, one step to the left, one step taller.
    assert message(view, "box") == pytest.approx([211.2, 144, 403.2, 345.6], abs=2)


def test_a_face_is_dismissed_with_one_message(view: ViewerPage) -> None:
    view.open("?faces=1&marks=1")
    view.button("Dismiss face 1").click()
    assert message(view, "dismiss") == [1]
    view.button("Face 2 of 1").wait_for()  # the small app does not number them anew
    view.wait_for_server("runs=2")
    view.settle()
    assert view.runs == 2, "one message"
    assert view.page.locator(".viewer .faces.alone .face").count() == 1


def test_without_callbacks_there_is_nothing_to_mark_or_dismiss(view: ViewerPage) -> None:
    view.open("?faces=1")
    assert not view.button("Mark a face").is_visible()
    assert view.page.locator(".viewer .dismiss").count() == 0


def test_choosing_a_face_goes_to_it_and_back(view: ViewerPage) -> None:
    view.open("?faces=1")
    view.button("Face 2 of 2").click()
    assert view.zoom == "141 %"
    view.button("Face 2 of 2").click()
    assert view.zoom == "100 %"


def test_python_goes_to_a_face(view: ViewerPage) -> None:
    view.open("?faces=1")
    view.page.get_by_role("button", name="Go to face 2").click()
    view.page.get_by_text(re.compile("face=2")).wait_for()
    view.settle(400)
    assert view.zoom != "100 %"
    view.button("Face 2 of 2").click()
    view.page.get_by_text(re.compile("face=None")).wait_for()
    assert view.zoom == "100 %", "the same face again goes back"


_CHIPS_ON_FACES = """() => {
  const root = document.querySelector('.stBidiComponent')
    .querySelector('[data-testid=stBidiComponentIsolated]').shadowRoot;
  const rects = (selector) =>
    [...root.querySelectorAll(selector)].map((e) => e.getBoundingClientRect());
  const on = (a, b) => a.left < b.right - 0.5 && b.left < a.right - 0.5
    && a.top < b.bottom - 0.5 && b.top < a.bottom - 0.5;
  const chips = rects('.chip'), faces = rects('.face');
  const covered = chips.filter((c, i) => faces.some((f) => on(c, f))
    || chips.some((other, j) => j > i && on(c, other)));
  return [chips.length, covered.length, Math.max(...chips.map((c) => c.height))];
}"""


def test_numbers_stand_beside_the_faces_and_one_switch_hides_them(view: ViewerPage) -> None:
    view.open("?crowd=1")
    assert view.page.evaluate(_CHIPS_ON_FACES)[:2] == [40, 0]
    assert view.page.evaluate(_CHIPS_ON_FACES)[2] < 22, "small beside small faces"
    switch = view.button("Face numbers")
    switch.click()
    assert switch.get_attribute("aria-pressed") == "false"
    assert not view.button("Face 1 of 40").is_visible()
    assert "badges=off" in view.page.url
    view.page.reload()
    view.ready()
    assert not view.button("Face 1 of 40").is_visible()
    view.button("Face numbers").click()
    view.button("Face 1 of 40").click()
    assert view.zoom != "100 %"
