from __future__ import annotations

import json
import logging
import sys

import pytest

from bisenet.serving import logs


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "/"),
        ("/regions", "other"),
        ("/api/parse", "/api/parse"),
        ("/api/parsed", "other"),
        ("/_stcore/upload_file/0b1e-session/file.jpg", "/_stcore/upload_file"),
        ("/_stcore/stream", "/_stcore/stream"),
        ("/media/d41d8cd98f.png", "/media"),
    ],
)
def test_names_of_routes_hold_no_ids(path: str, name: str) -> None:
    assert logs.route_name(path) == name


def test_an_exception_is_logged_without_its_message() -> None:
    try:
        raise ValueError("photo-of-anna.jpg")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "it failed", (), sys.exc_info())
    line = json.loads(logs.JsonFormatter().format(record))
    assert line["message"] == "it failed"
    assert line["error"] == "ValueError"
    assert "test_logs" in line["at"][-1]
    assert "anna" not in json.dumps(line)


def test_an_exception_in_text_is_one_line_without_its_message() -> None:
    try:
        raise ValueError("photo-of-anna.jpg")
    except ValueError:
        record = logging.LogRecord(
            "x", logging.ERROR, __file__, 1, "it\nfailed", (), sys.exc_info()
        )
    line = logs.TextFormatter().format(record)
    assert "ERROR x it failed ValueError " in line
    assert "test_logs" in line
    assert "anna" not in line
    assert "\n" not in line
