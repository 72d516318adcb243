from __future__ import annotations

import pytest

from bisenet.serving.pages import below


@pytest.mark.parametrize(
    ("path", "base", "rest"),
    [
        ("/faces/regions", "/faces", "/regions"),
        ("/faces/", "/faces", "/"),
        ("/faces", "/faces", None),
        ("/facesx/", "/faces", None),
        ("/healthz", "", "/healthz"),
    ],
)
def test_what_is_below_a_base_path(path: str, base: str, rest: str | None) -> None:
    assert below(path, base) == rest
