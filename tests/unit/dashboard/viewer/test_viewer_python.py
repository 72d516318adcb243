"""The viewer's Python side, run without a browser."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from bisenet.dashboard.viewer.assets import MODULES, javascript, media_url
from tests.conftest import ROOT

APP = ROOT / "tests" / "browser" / "viewer_app.py"
SCRIPTS = ROOT / "bisenet" / "dashboard" / "viewer" / "js"


def said(app: AppTest) -> str:
    """All that the page printed about what the server knows."""
    return "\n".join(text.value for text in app.text)


def test_every_script_is_part_of_the_component() -> None:
    assert {path.stem for path in SCRIPTS.glob("*.js")} == set(MODULES)
    code = javascript()
    assert "import " not in code
    assert code.count("export ") == 1
    assert "export default function mount" in code


def test_without_a_server_the_bytes_travel_in_the_url() -> None:
    assert media_url(b"...", "image/jpeg", "x") == "data:image/jpeg;base64,Li4u"


def test_page_runs_and_reads_the_query() -> None:
    app = AppTest.from_file(str(APP), default_timeout=30)
    app.query_params["select"] = "nose"
    app.run()
    assert not app.exception
    assert "selected=10, hidden=(0,)" in said(app)
    app.query_params["hide"] = "hair"
    app.run()
    assert "selected=10, hidden=(17,)" in said(app)


def test_selecting_from_python() -> None:
    app = AppTest.from_file(str(APP), default_timeout=30).run()
    next(b for b in app.button if b.label == "Select hair").click().run()
    assert "selected=17" in said(app)
    app.run()
    assert "selected=17" in said(app)


def stale() -> None:
    """What a list's callback gets when its option has gone: the option's label."""
    import streamlit as st

    from bisenet.dashboard.viewer import current_view, select_face, select_region

    current_view()
    for label in ("All 5 faces", "Face 3", 0, 1.5, True, 10_000):
        select_face(label)
        select_region(label if label != 0 else 19)
    st.text(str(current_view()))
    select_face(3)
    st.text(str(st.session_state["_bisenet_view"]["push"]))


def test_the_label_of_an_option_that_is_gone_chooses_nothing() -> None:
    app = AppTest.from_function(stale, default_timeout=30).run()
    assert not app.exception
    assert "selected=None" in app.text[0].value
    assert "face=None" in app.text[0].value
    assert "{'seq': 1, 'change': {'face': 3}}" in app.text[1].value
