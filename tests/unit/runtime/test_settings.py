from __future__ import annotations

import re
from typing import Any

import pytest

from bisenet.runtime.paths import ROOT
from bisenet.runtime.settings import VARIABLES, Settings


@pytest.mark.parametrize(
    ("attribute", "name", "text", "value"),
    [
        ("port", "PORT", "9000", 9000),
        ("host", "BISENET_HOST", "127.0.0.1", "127.0.0.1"),
        ("weights", "BISENET_WEIGHTS", "mine", "mine"),
        ("threads", "BISENET_THREADS", "3", 3),
        ("threads", "BISENET_THREADS", "", None),
        ("max_running", "BISENET_MAX_RUNNING", "3", 3),
        ("max_waiting", "BISENET_MAX_WAITING", "0", 0),
        ("views_mb", "BISENET_VIEWS_MB", "300", 300),
        ("drain_seconds", "BISENET_DRAIN_SECONDS", "1.5", 1.5),
        ("shutdown_seconds", "BISENET_SHUTDOWN_SECONDS", "20", 20.0),
        ("stall_seconds", "BISENET_STALL_SECONDS", "45", 45.0),
        ("body_seconds", "BISENET_BODY_SECONDS", "7", 7.0),
        ("body_rate", "BISENET_BODY_RATE", "2.5", 2.5),
        ("header_seconds", "BISENET_HEADER_SECONDS", "3", 3.0),
        ("max_sockets", "BISENET_MAX_SOCKETS", "40", 40),
        ("max_sockets_client", "BISENET_MAX_SOCKETS_CLIENT", "10", 10),
        ("max_scripts", "BISENET_MAX_SCRIPTS", "1", 1),
        (
            "allowed_hosts",
            "BISENET_ALLOWED_HOSTS",
            "Faces.example, *.example.org",
            ("faces.example", "*.example.org"),
        ),
        (
            "trusted_proxies",
            "BISENET_TRUSTED_PROXIES",
            "10.0.0.0/8, 2001:db8::1",
            ("10.0.0.0/8", "2001:db8::1"),
        ),
        ("https", "BISENET_HTTPS", "true", True),
        ("https", "BISENET_HTTPS", "", False),
        ("other_engines", "BISENET_OTHER_ENGINES", "no", False),
        ("other_engines", "BISENET_OTHER_ENGINES", "", True),
        ("log_format", "BISENET_LOG_FORMAT", "text", "text"),
        ("cache_dir", "BISENET_CACHE_DIR", "", ""),
        ("max_upload_mb", "STREAMLIT_SERVER_MAX_UPLOAD_SIZE", "200", 200),
        ("max_upload_mb", "STREAMLIT_SERVER_MAX_UPLOAD_SIZE", "", None),
        ("base_path", "STREAMLIT_SERVER_BASE_URL_PATH", "/lab/faces/", "/lab/faces"),
    ],
)
def test_a_variable_sets_its_value(attribute: str, name: str, text: str, value: Any) -> None:
    assert getattr(Settings({name: text}).check(), attribute) == value


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("PORT", "http", "must be a number, not 'http'."),
        ("PORT", "70000", "must be between 0 and 65535, not 70000."),
        ("BISENET_THREADS", "0", "must be a whole number of at least 1, not '0'."),
        ("BISENET_MAX_RUNNING", "0", "must be at least 1, not 0."),
        ("BISENET_MAX_RUNNING", "many", "must be a whole number, not 'many'."),
        ("BISENET_VIEWS_MB", "much", "must be a whole number of at least 1, not 'much'."),
        ("BISENET_DRAIN_SECONDS", "-1", "must be between 0 and 600, not -1."),
        ("BISENET_DRAIN_SECONDS", "30", "must be less than BISENET_SHUTDOWN_SECONDS."),
        ("BISENET_SHUTDOWN_SECONDS", "0", "must be between 1 and 3600, not 0."),
        ("BISENET_LOG_FORMAT", "xml", "must be json or text, not 'xml'."),
        ("BISENET_MAX_SOCKETS", "2.5", "must be a whole number, not '2.5'."),
        ("BISENET_TRUSTED_PROXIES", "my-proxy", "takes addresses and networks like"),
        ("BISENET_TRUSTED_PROXIES", "10.0.0.1/8", "takes addresses and networks like"),
        ("STREAMLIT_SERVER_MAX_UPLOAD_SIZE", "lots", "must be a number, not 'lots'."),
        ("STREAMLIT_SERVER_BASE_URL_PATH", "../etc", "takes a path of letters, digits, - and _"),
        ("BISENET_HTTPS", "maybe", "must be true or false, not 'maybe'."),
    ],
)
def test_a_wrong_value_is_named(name: str, text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} {re.escape(sentence)}"):
        Settings({name: text}).check()


def test_the_documented_table_is_this_one() -> None:
    rows = [f"| `{one.name}` | {one.shown} | {one.meaning} |" for one in VARIABLES.values()]
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert "\n".join(["| variable | default | meaning |", "| --- | --- | --- |", *rows, ""]) in text
