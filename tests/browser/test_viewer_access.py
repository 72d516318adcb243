"""The viewer by keyboard, by touch, and on a phone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.viewer_page import APP, HAIR, NOSE, ViewerPage

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import AppServer, NewPage

TOUCH_TARGET = 44


@pytest.fixture
def view(app_server: AppServer, page: Page) -> ViewerPage:
    """The test app on a desktop."""
    return ViewerPage(page, app_server(APP))


@pytest.fixture
def phone_view(app_server: AppServer, phone: Page) -> ViewerPage:
    """The test app on a phone."""
    return ViewerPage(phone, app_server(APP))


def focused(page: Page) -> str:
    """The label of the element with the focus, inside the component's shadow root."""
    label: str = page.evaluate(
        """() => {
          let e = document.activeElement;
          while (e?.shadowRoot?.activeElement) e = e.shadowRoot.activeElement;
          return e?.getAttribute('aria-label') ?? e?.innerText ?? '';
        }"""
    )
    return label


def test_keyboard_alone(view: ViewerPage) -> None:
    view.open()
    keyboard = view.page.keyboard
    view.page.get_by_role("button", name="Set parameter").focus()
    keyboard.press("Tab")
    assert "with its face regions" in focused(view.page)
    live = view.page.locator(".viewer .sr")
    keyboard.press("ArrowRight")
    assert live.inner_text().startswith("Skin")
    assert "Skin" in view.tip
    keyboard.press("ArrowRight")
    keyboard.press("ArrowLeft")
    keyboard.press("ArrowLeft")
    keyboard.press("ArrowRight")
    keyboard.press("Enter")
    view.wait_for_server("selected=1,")
    assert live.inner_text().endswith("selected")
    keyboard.press("Escape")
    view.wait_for_server("selected=None")
    keyboard.press("+")
    assert view.zoom == "150 %"
    keyboard.press("Shift+ArrowRight")
    keyboard.press("-")
    keyboard.press("0")
    assert view.zoom == "100 %"
    keyboard.press("?")
    assert view.page.locator(".viewer .hint").is_visible()


def test_switches_by_keyboard(view: ViewerPage) -> None:
    view.open()
    keyboard = view.page.keyboard
    view.page.get_by_role("button", name="Keys and gestures").focus()
    keyboard.press("Tab")
    assert focused(view.page) == "Fill"
    keyboard.press("ArrowRight")
    assert "mode=outline" in view.query
    keyboard.press("Tab")
    keyboard.press("ArrowRight")
    assert "opacity=61" in view.query
    view.switch("hair").focus()
    keyboard.press("Space")
    assert not view.is_on("hair")
    keyboard.press("Tab")
    assert focused(view.page) == "Show only Hair"


def test_everything_has_a_name(view: ViewerPage) -> None:
    view.open("?faces=1")
    nameless = view.page.locator(".viewer").evaluate(
        """root => [...root.querySelectorAll('button, input, [role=slider], [tabindex]')]
          .filter(e => !(e.getAttribute('aria-label') || e.innerText.trim() || e.hidden))
          .map(e => e.outerHTML.slice(0, 80))"""
    )
    assert nameless == []


def test_touch_taps_select(phone_view: ViewerPage) -> None:
    view = phone_view.open()
    view.page.touchscreen.tap(*view.at(NOSE))
    view.wait_for_server("selected=10")
    assert "Nose" in view.tip
    view.settle(400)
    view.switch("hair").tap()
    assert view.rgba(HAIR)[3] == 0


def test_pinch_zooms(phone_view: ViewerPage) -> None:
    view = phone_view.open()
    client = view.page.context.new_cdp_session(view.page)
    x, y = view.at((0.5, 0.5))

    def touch(kind: str, gap: float) -> None:
        points = [{"x": x - gap, "y": y, "id": 1}, {"x": x + gap, "y": y, "id": 2}]
        payload = {"type": kind, "touchPoints": [] if kind == "touchEnd" else points}
        client.send("Input.dispatchTouchEvent", payload)

    touch("touchStart", 30)
    for gap in (40, 60, 90):
        touch("touchMove", gap)
    touch("touchEnd", 0)
    view.settle(400)
    assert int(view.zoom.split()[0]) > 200
    assert "selected=None" in view.server


def test_phone_has_no_sideways_scroll_and_large_targets(phone_view: ViewerPage) -> None:
    view = phone_view.open("?faces=1")
    wide = view.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0
    # A face's number is small, and its area to touch reaches out of it (::after).
    height = """e => {
      const around = getComputedStyle(e, "::after");
      const more = around.position === "absolute" ? parseFloat(around.height) : 0;
      return Math.max(e.offsetHeight, more);
    }"""
    for box in view.page.locator(".viewer button:visible").evaluate_all(
        f"all => all.map(e => [e.innerText, e.offsetWidth, ({height})(e)])"
    ):
        assert box[2] >= TOUCH_TARGET, box
    panel = view.page.locator(".viewer .panel").bounding_box()
    stage = view.stage.bounding_box()
    assert panel is not None
    assert stage is not None
    assert panel["y"] > stage["y"] + stage["height"], "the controls are below the picture"


def test_desktop_has_the_panel_beside_the_picture(view: ViewerPage) -> None:
    view.open()
    panel = view.page.locator(".viewer .panel").bounding_box()
    stage = view.stage.bounding_box()
    assert panel is not None
    assert stage is not None
    assert panel["x"] > stage["x"] + stage["width"]


def test_space_is_reserved_while_loading(view: ViewerPage, new_page: NewPage) -> None:
    page = new_page()
    page.route("**/media/**", lambda route: None if ".bin" in route.request.url else route.abort())
    waiting = ViewerPage(page, view.base)
    page.goto(f"{view.base}/?size=800x600")
    page.get_by_text("Loading the picture").wait_for()
    before = waiting.stage.bounding_box()
    view.open("?size=800x600")
    assert view.stage.bounding_box() == before
