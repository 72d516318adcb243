"""The viewer in a real browser: switches, drawing, pointing, selecting, zooming, comparing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.viewer_page import APP, BACKGROUND, CLOTHES, HAIR, NOSE, SKIN, ViewerPage

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import AppServer


@pytest.fixture
def view(app_server: AppServer, page: Page) -> ViewerPage:
    """The test app, not opened yet."""
    return ViewerPage(page, app_server(APP))


def test_switch_changes_pixels_and_sends_nothing(view: ViewerPage) -> None:
    view.open()
    assert view.rgba(HAIR)[3] > 100
    sent = len(view.sent)
    for _ in range(5):
        view.switch("hair").click()
        assert view.rgba(HAIR)[3] == 0
        assert not view.is_on("hair")
        view.switch("hair").click()
        assert view.rgba(HAIR)[3] > 100
        assert view.is_on("hair")
    assert len(view.sent) == sent, "ten switches must not reach the server"


def test_background_starts_hidden_and_absent_classes_have_no_switch(view: ViewerPage) -> None:
    view.open()
    assert not view.is_on("background")
    assert view.rgba(BACKGROUND)[3] == 0
    assert view.switch("hat").count() == 0
    fold = view.page.locator(".viewer .absent")
    fold.locator("summary").click()
    assert "Hat" in fold.inner_text()


def test_all_none_and_invert(view: ViewerPage) -> None:
    view.open()
    view.button("Show all regions").click()
    assert view.rgba(BACKGROUND)[3] > 100
    view.button("Hide all regions").click()
    assert [view.rgba(p)[3] for p in (BACKGROUND, SKIN, HAIR, CLOTHES)] == [0, 0, 0, 0]
    assert "show=none" in view.query
    view.switch("hair").click()
    view.button("Show what is hidden and hide what is shown").click()
    assert not view.is_on("hair")
    assert view.is_on("skin")
    assert view.is_on("background")


def test_solo_and_back(view: ViewerPage) -> None:
    view.open()
    before = view.query
    view.switch("nose").hover()
    view.button("Show only Nose").click()
    assert view.rgba(NOSE)[3] > 100
    assert view.rgba(HAIR)[3] == 0
    assert "show=nose" in view.query
    view.button("Show only Nose").click()
    assert view.rgba(HAIR)[3] > 100
    assert "show=" not in view.query
    assert before in ("", view.query)


def test_group_switches_its_members(view: ViewerPage) -> None:
    view.open()
    view.group("face").click()
    assert not view.is_on("skin")
    assert not view.is_on("nose")
    assert view.is_on("hair")
    assert view.group("face").get_attribute("aria-checked") == "false"
    view.switch("nose").click()
    assert "some" in (view.group("face").get_attribute("class") or "")
    view.group("face").click()
    assert view.is_on("skin")


def test_opacity_changes_alpha(view: ViewerPage) -> None:
    view.open()
    sent = len(view.sent)
    slider = view.page.get_by_role("slider", name="Overlay opacity in percent")
    slider.fill("100")
    assert view.rgba(HAIR)[3] == 255
    slider.fill("20")
    assert view.rgba(HAIR)[3] == pytest.approx(51, abs=1)
    assert "opacity=20" in view.query
    slider.fill("0")
    assert view.rgba(HAIR)[3] == 0
    assert len(view.sent) == sent


def test_outline_and_both(view: ViewerPage) -> None:
    view.open()
    # Across the top of the hair: where its outline lies depends on the size of the picture.
    edge = [(0.5, 0.05 + 0.001 * step) for step in range(20)]
    view.page.get_by_role("radio", name="Outline").click()
    assert view.rgba(HAIR)[3] == 0
    assert max(view.rgba(point)[3] for point in edge) > 200
    view.page.get_by_role("radio", name="Both").click()
    assert 100 < view.rgba(HAIR)[3] < 200
    assert max(view.rgba(point)[3] for point in edge) > 200
    assert "mode=both" in view.query


def test_hover_names_and_lights_the_region(view: ViewerPage) -> None:
    view.open()
    calm = view.rgba(NOSE)[3]
    view.hover(NOSE)
    assert "Nose" in view.tip
    assert "of the photo" in view.tip
    assert "95\u202f% confidence" in view.tip
    assert view.rgba(NOSE)[3] > calm
    view.page.mouse.move(5, 5)
    assert view.rgba(NOSE)[3] == calm
    assert view.page.locator(".viewer .tip").is_hidden()


def test_click_selects_and_sends_one_small_message(view: ViewerPage) -> None:
    view.open()
    sent = len(view.sent)
    view.click(NOSE)
    view.wait_for_server("selected=10")
    assert len(view.sent) == sent + 1
    assert view.sent[-1] < 2_000
    assert "select=nose" in view.query
    view.page.keyboard.press("Escape")
    view.wait_for_server("selected=None")
    assert "select=" not in view.query
    view.click(HAIR)
    view.wait_for_server("selected=17")
    view.settle()
    view.click(HAIR)
    view.wait_for_server("selected=None")


def test_message_carries_what_is_hidden(view: ViewerPage) -> None:
    view.open()
    view.switch("hair").click()
    view.click(NOSE)
    view.wait_for_server("selected=10, hidden=(0, 17)")


def test_before_and_after(view: ViewerPage) -> None:
    view.open()
    divider = view.page.get_by_role("slider", name="Divider between the photo and its regions")
    assert divider.is_hidden()
    view.button("Before / after").click()
    assert divider.get_attribute("aria-valuenow") == "50"
    view.page.mouse.move(*view.at((0.5, 0.5)))
    view.page.mouse.down()
    view.page.mouse.move(*view.at((0.7, 0.5)), steps=4)
    view.page.mouse.move(*view.at((0.8, 0.5)), steps=4)
    view.page.mouse.up()
    assert divider.get_attribute("aria-valuenow") == "80"
    clip = view.page.locator(".viewer .overlay").evaluate("e => getComputedStyle(e).clipPath")
    assert "80%" in clip
    divider.press("ArrowLeft")
    assert divider.get_attribute("aria-valuenow") == "78"
    view.button("Before / after").click()
    assert divider.is_hidden()
    assert "selected=None" in view.server


def test_wheel_zoom_drag_and_double_click_reset(view: ViewerPage) -> None:
    view.open()
    view.settle(400)
    view.hover(NOSE)
    view.page.mouse.wheel(0, -500)
    view.settle(200)
    assert view.zoom != "100 %"
    view.hover(NOSE)
    assert "Nose" in view.tip, "the point under the pointer stays there"
    view.page.mouse.down()
    view.page.mouse.move(*view.at((0.9, 0.9)), steps=5)
    view.page.mouse.up()
    view.settle(400)
    assert "selected=None" in view.server, "a drag is not a click"
    sent = len(view.sent)
    view.page.mouse.dblclick(*view.at(NOSE))
    view.settle(600)
    assert view.zoom == "100 %"
    assert "select=" not in view.query
    assert len(view.sent) == sent, "a double click selects nothing"


def test_zoom_buttons(view: ViewerPage) -> None:
    view.open()
    assert view.button("Zoom out").is_disabled()
    view.button("Zoom in").click()
    assert view.zoom == "150 %"
    view.page.locator(".viewer .factor").click()
    assert view.zoom == "100 %"


def test_compare_links_switches_and_zoom(view: ViewerPage) -> None:
    view.open("?compare=1")
    assert view.page.locator(".viewer .stage").count() == 2
    assert view.switch("hat").locator(".share").count() == 2
    view.switch("hair").locator(".swatch").click()
    assert view.rgba(HAIR, stage=0)[3] == 0
    assert view.rgba(HAIR, stage=1)[3] == 0
    first = view.rgba((0.99, 0.99), stage=1)
    view.button("Zoom in").click()
    view.button("Zoom in").click()
    assert view.rgba((0.99, 0.99), stage=1) != first or view.zoom == "225 %"


def test_faces_are_framed_and_chosen(view: ViewerPage) -> None:
    view.open("?faces=1")
    assert view.page.locator(".viewer .face").count() == 2
    view.button("Face 2 of 2").click()
    view.wait_for_server("face=2)")
    assert "face=2" in view.query


def test_broken_label_map_says_so(view: ViewerPage) -> None:
    view.page.goto(f"{view.base}/?broken=1")
    view.page.get_by_text("The picture could not be shown.").wait_for()
    assert view.button("Try again").is_visible()


def test_python_can_select(view: ViewerPage) -> None:
    view.open()
    view.page.get_by_role("button", name="Select hair").click()
    view.wait_for_server("selected=17")
    view.settle()
    assert "select=hair" in view.query
    view.click(NOSE)
    view.wait_for_server("selected=10")
    view.page.get_by_role("button", name="Rerun").click()
    view.settle()
    assert "selected=10" in view.server, "a push is applied once"


def test_what_was_not_looked_at_has_a_legend_and_no_share(view: ViewerPage) -> None:
    view.open("?unseen=1")
    legend = view.page.locator(".viewer .legend")
    assert legend.inner_text().split("\n") == ["Not looked at", "10\u202f% of the photo"]
    assert "Shares are of what was looked at." in view.page.locator(".viewer .note").inner_text()
    view.hover(BACKGROUND)
    assert view.tip.startswith("Not looked at")
    assert "too far from the faces" in view.tip
    kinds = {tuple(view.rgba((0.02 + k / 640, 0.5))) for k in range(12)}
    assert len(kinds) == 2  # the veil and the lines over it
    view.hover(HAIR)
    assert "of what was looked at" in view.tip
    shares = [float(view.switch("hair").locator(".share").inner_text().split("\u202f")[0])]
    view.page.get_by_text("Of the photo", exact=True).click()
    view.page.locator(".viewer .note", has_text="Shares are of").wait_for(state="detached")
    shares.append(float(view.switch("hair").locator(".share").inner_text().split("\u202f")[0]))
    assert shares[1] == pytest.approx(0.9 * shares[0], abs=1)
    view.hover(HAIR)
    assert "of the photo" in view.tip
