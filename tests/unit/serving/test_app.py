from __future__ import annotations

import pytest
from streamlit import config
from streamlit.error_util import _log_uncaught_app_exception

from bisenet import server
from bisenet.serving import app


def test_streamlit_prints_no_exception_beside_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rich")  # with it, Streamlit prints exceptions itself
    before = config.get_option("logger.enableRich")
    try:
        ours = app._STREAMLIT_OPTIONS["logger.enableRich"]
        for rich, printed in ((True, True), (ours, False)):
            config.set_option("logger.enableRich", rich)
            _log_uncaught_app_exception(ValueError("photo-of-anna.jpg"))
            assert ("anna" in capfd.readouterr().out) is printed
    finally:
        config.set_option("logger.enableRich", before)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BISENET_VIEWS_MB", "much"),
        ("BISENET_THREADS", "0"),
        ("BISENET_MAX_RUNNING", "0"),
        ("BISENET_MAX_WAITING", "-1"),
        ("BISENET_OTHER_ENGINES", "oui"),
    ],
)
def test_a_wrong_setting_is_refused_at_the_start(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    assert server.main() == 2
    assert f"error: {name} must be" in capsys.readouterr().err
