"""Redraw times and bytes of the viewer at 1, 4 and 12 megapixels: a measurement, in no test run.

    python -m pytest -s tests/browser/viewer_speed.py

The figures are printed and written to ``out/viewer_speed.json``.
"""

from __future__ import annotations

import json
import os
import statistics
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.viewer_page import APP, HAIR, ViewerPage

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import AppServer

SIZES = {"1 MP": "1152x864", "4 MP": "2304x1728", "12 MP": "4000x3000"}
SWITCHES = 40

# Presses a switch and waits for the frame that shows it, again and again, as a person would.
_PRESS = """async (count) => {
  const root = document.querySelector('[data-testid=stBidiComponentIsolated]').shadowRoot;
  const names = ['hair', 'skin', 'nose', 'cloth'];
  const slider = root.querySelector('input.range');
  performance.clearMeasures('viewer-redraw');
  const painted = [];
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    if (i % 2) {
      root.querySelector(`.switch[data-class=${names[(i >> 1) % 4]}]`).click();
    } else {
      slider.value = String(30 + i);
      slider.dispatchEvent(new Event('input'));
    }
    await new Promise(requestAnimationFrame);
    await new Promise((done) => {
      const channel = new MessageChannel();
      channel.port1.onmessage = done;
      channel.port2.postMessage(0);
    });
    painted.push(performance.now() - start);
    await new Promise((done) => setTimeout(done, 30));
  }
  const all = performance.getEntriesByName('viewer-redraw');
  return { redraw: all.map((e) => e.duration), painted, detail: all.at(-1).detail };
}"""


def _summary(values: list[float]) -> dict[str, float]:
    return {
        "median_ms": round(statistics.median(values), 1),
        "p95_ms": round(statistics.quantiles(values, n=20)[-1], 1),
    }


@pytest.fixture(scope="module")
def report(request: pytest.FixtureRequest) -> Any:
    """Collects each size's figures and writes them at the end."""
    figures: dict[str, Any] = {}
    yield figures
    folder = request.config.rootpath / "out"
    folder.mkdir(exist_ok=True)
    (folder / "viewer_speed.json").write_text(json.dumps(figures, indent=2) + "\n")


@pytest.mark.parametrize("name", SIZES)
def test_redraw_time(app_server: AppServer, page: Page, report: dict[str, Any], name: str) -> None:
    view = ViewerPage(page, app_server(APP)).open(f"?size={SIZES[name]}")
    shown = sum(view.received), sum(view.media)
    sent = len(view.sent)
    hair = view.rgba(HAIR)[3]
    found = page.evaluate(_PRESS, SWITCHES)
    assert len(view.sent) == sent
    assert len(found["redraw"]) >= SWITCHES - 1
    assert view.rgba(HAIR)[3] != hair
    report[name] = {
        "redraw": _summary(found["redraw"]),
        "press_to_frame": _summary(found["painted"]),
        "label_pixels": found["detail"]["map"],
        "overlay_pixels": found["detail"]["pixels"],
        "first_view_websocket_bytes": shown[0],
        "first_view_media_bytes": shown[1],
        "messages_during_switches": len(view.sent) - sent,
        "load_average": round(os.getloadavg()[0], 1),
    }
    print(f"\n{name}: {json.dumps(report[name])}")
