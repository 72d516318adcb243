"""The app in Streamlit's own test harness: no browser, real pages, real weights."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from tests.conftest import ROOT

TIMEOUT_S = 120


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The whole app, run once: the sample is on the Explore page."""
    monkeypatch.chdir(ROOT)
    at = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=TIMEOUT_S).run()
    assert not at.exception
    return at


@pytest.fixture
def png_of() -> Callable[[Image.Image], bytes]:
    """A picture's bytes."""

    def encode(image: Image.Image) -> bytes:
        out = io.BytesIO()
        image.save(out, format="PNG")
        return out.getvalue()

    return encode


@pytest.fixture
def grey_png(png_of: Callable[[Image.Image], bytes]) -> bytes:
    """A small picture without a face."""
    return png_of(Image.fromarray(np.full((60, 80, 3), 127, dtype=np.uint8)))
