"""The engines that the server opens, and which of them it keeps."""

from __future__ import annotations

import threading
import time

import pytest

from bisenet.engines import EngineError
from bisenet.parser import FaceParser
from bisenet.serving import models


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, parser: FaceParser) -> list[str]:
    """The engines that were opened; each takes a while, as a real one does."""
    names: list[str] = []

    def slowly(_: str, engine: str) -> FaceParser:
        time.sleep(0.3)
        names.append(engine)
        return FaceParser.__new__(FaceParser)

    monkeypatch.setattr(models, "FaceParser", slowly)
    return names


def warm(parser: FaceParser, others: bool) -> models.Models:
    made = models.Models("default", others)
    made._own = parser
    return made


def test_without_the_setting_only_the_servers_own_is_used(
    parser: FaceParser, opened: list[str]
) -> None:
    made = warm(parser, others=False)
    own = models._name_of(parser)
    assert made.get("auto") is parser
    assert made.get(own) is parser
    with pytest.raises(EngineError, match=f"parses with {own} alone"):
        made.get("torch")
    assert opened == []


def test_one_other_is_kept_and_nobody_else_waits_for_it(
    parser: FaceParser, opened: list[str]
) -> None:
    made = warm(parser, others=True)
    thread = threading.Thread(target=made.get, args=("torch",))
    thread.start()
    begun = time.monotonic()
    assert made.get("auto") is parser
    assert time.monotonic() - begun < 0.2
    thread.join(10)
    torch = made.get("torch")
    assert made.get("torch") is torch
    made.get("torch-bf16")
    assert made.get("torch") is not torch, "it was let go for the next one"
    assert opened == ["torch", "torch-bf16", "torch"]
