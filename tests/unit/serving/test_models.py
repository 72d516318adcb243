"""The engines that the server opens, and which of them it keeps."""

from __future__ import annotations

import threading

import pytest

from bisenet.engines import EngineError, EngineInfo
from bisenet.parser import FaceParser
from bisenet.serving import models


@pytest.fixture
def parser(monkeypatch: pytest.MonkeyPatch) -> FaceParser:
    """One that says what its engine is, and no more."""
    monkeypatch.setattr(FaceParser, "engine", EngineInfo("openvino", "int8", "cpu", 1))
    return FaceParser.__new__(FaceParser)


class Opening:
    """Opens engines; each takes until it ``may_end``."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.begun, self.may_end = threading.Event(), threading.Event()

    def __call__(self, _: str, engine: str) -> FaceParser:
        self.begun.set()
        assert self.may_end.wait(10)
        self.names.append(engine)
        return FaceParser.__new__(FaceParser)


@pytest.fixture
def opening(monkeypatch: pytest.MonkeyPatch, parser: FaceParser) -> Opening:
    opening = Opening()
    monkeypatch.setattr(models, "FaceParser", opening)
    return opening


def warm(parser: FaceParser, others: bool) -> models.Models:
    made = models.Models("default", others)
    made._own = parser
    return made


def test_without_the_setting_only_the_servers_own_is_used(
    parser: FaceParser, opening: Opening
) -> None:
    made = warm(parser, others=False)
    own = models._name_of(parser)
    assert made.get("auto") is parser
    assert made.get(own) is parser
    with pytest.raises(EngineError, match=f"parses with {own} alone"):
        made.get("torch")
    assert opening.names == []


def test_one_other_is_kept_and_nobody_else_waits_for_it(
    parser: FaceParser, opening: Opening
) -> None:
    made = warm(parser, others=True)
    thread = threading.Thread(target=made.get, args=("torch",))
    thread.start()
    assert opening.begun.wait(10)
    assert made.get("auto") is parser
    assert opening.names == [], "the other one is still being opened"
    opening.may_end.set()
    thread.join(10)
    torch = made.get("torch")
    assert made.get("torch") is torch
    made.get("torch-bf16")
    assert made.get("torch") is not torch, "it was let go for the next one"
    assert opening.names == ["torch", "torch-bf16", "torch"]
