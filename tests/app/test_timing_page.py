from __future__ import annotations

import subprocess
import sys

import pytest
from streamlit.testing.v1 import AppTest

from tests.conftest import ROOT


@pytest.fixture
def timing(app: AppTest) -> AppTest:
    return app.switch_page("pages/timing.py").run()


def captions(app: AppTest) -> str:
    return " ".join(caption.value for caption in app.caption)


def test_this_parse_and_its_engine_are_shown(timing: AppTest) -> None:
    assert not timing.exception
    assert not timing.error
    assert "threads" in captions(timing) or "thread" in captions(timing)
    assert len(timing.get("plotly_chart")) >= 2


def test_history_has_percentiles_and_filters(timing: AppTest) -> None:
    assert {box.label for box in timing.selectbox} >= {"Engine", "Precision", "Input size, px"}
    assert not timing.exception


def test_the_app_imports_no_torch_where_openvino_serves() -> None:
    script = (
        "import sys; from streamlit.testing.v1 import AppTest;"
        "app = AppTest.from_file('streamlit_app.py', default_timeout=120).run();"
        "app.switch_page('pages/timing.py').run();"
        "print(bool(app.exception), 'torch' in sys.modules, 'openvino' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert result.stdout.split()[-3:] == ["False", "False", "True"]
