"""The view outlives reruns, page changes, themes and reloads; pictures are sent once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.viewer_page import APP, HAIR, NOSE, ViewerPage

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import AppServer

# Streamlit sends a message above this size by reference when the browser still has it.
SMALL = 10_000


@pytest.fixture
def view(app_server: AppServer, page: Page) -> ViewerPage:
    """The test app, not opened yet."""
    return ViewerPage(page, app_server(APP))


def test_shared_url_opens_the_same_view(view: ViewerPage) -> None:
    query = "?other=a%20b&hide=cloth,hair&opacity=35&mode=both&select=nose"
    view.open(query)
    assert not view.is_on("hair")
    assert view.is_on("background")
    assert "selected=10, hidden=(16, 17), opacity=35, mode='both'" in view.server
    assert view.page.get_by_role("radio", name="Both").get_attribute("aria-checked") == "true"
    assert view.query == query[1:], "the URL is left as it was"
    assert view.runs == 1, "reading the URL needs no second run"


def test_reload_restores(view: ViewerPage) -> None:
    view.open("?keep=1")
    view.switch("hair").click()
    view.click(NOSE)
    view.wait_for_server("selected=10")
    view.page.reload()
    view.ready()
    assert not view.is_on("hair")
    assert "selected=10, hidden=(0, 17)" in view.server
    assert view.query == "keep=1&hide=background,hair&select=nose"


def test_unknown_names_in_the_url_are_ignored(view: ViewerPage) -> None:
    view.open("?hide=tail,<script>&opacity=900&mode=glow&select=tail&face=0")
    assert "selected=None, hidden=(0,), opacity=60, mode='fill', face=None" in view.server
    assert view.is_on("hair")


def test_rerun_keeps_the_view_and_resends_no_pictures(view: ViewerPage) -> None:
    view.open("?size=1600x1200")
    first = sum(view.received), sum(view.media)
    view.switch("hair").click()
    received, media = len(view.received), len(view.media)
    view.page.get_by_role("button", name="Rerun").click()
    view.wait_for_server("runs=2")
    view.settle()
    assert not view.is_on("hair")
    assert view.rgba(HAIR)[3] == 0
    assert len(view.media) == media
    assert sum(view.received[received:]) < SMALL
    print(f"first view: {first[0]} websocket bytes, {first[1]} media bytes")
    print(f"rerun: {sum(view.received[received:])} websocket bytes, 0 media bytes")


def test_page_change_keeps_the_view_and_refetches_nothing(view: ViewerPage) -> None:
    view.open()
    view.switch("hair").click()
    view.click(NOSE)
    view.wait_for_server("selected=10")
    media = len(view.media)
    view.page.get_by_role("link", name="Other").click()
    view.page.wait_for_url("**/other**")
    view.settle()
    assert "selected=10, hidden=(0, 17)" in view.server
    view.page.get_by_role("link", name="Explore").click()
    view.ready()
    assert not view.is_on("hair")
    assert "selected=10, hidden=(0, 17)" in view.server
    assert "select=nose" in view.query
    assert "hide=background,hair" in view.query
    assert len(view.media) == media


def test_python_setting_a_parameter_leaves_the_view_in_the_url(view: ViewerPage) -> None:
    view.open()
    view.switch("hair").click()
    view.page.get_by_role("button", name="Set parameter").click()
    view.page.wait_for_url("**other=1**")
    view.settle()
    assert "hide=background,hair" in view.query
    view.switch("nose").click()
    view.settle()
    assert "hide=background,nose,hair" in view.query
    assert "other=1" in view.query
    view.page.get_by_role("button", name="Rerun").click()
    view.settle()
    assert not view.is_on("nose")


def test_rerun_tells_the_server_what_was_switched(view: ViewerPage) -> None:
    view.open()
    view.switch("hair").click()
    view.page.get_by_role("button", name="Rerun").click()
    view.wait_for_server("hidden=(0, 17)")


def test_theme_change_keeps_the_view(view: ViewerPage) -> None:
    view.open()
    view.switch("hair").click()
    view.page.locator(".viewer").evaluate("e => { e.dataset.mark = '1' }")
    ink = "e => getComputedStyle(e).color"
    light = view.page.locator(".viewer").evaluate(ink)
    view.page.emulate_media(color_scheme="dark")
    view.settle(800)
    assert view.page.locator(".viewer").evaluate(ink) != light
    assert view.page.locator(".viewer").get_attribute("data-mark") == "1"
    assert not view.is_on("hair")
    assert view.page.locator(".viewer").count() == 1
