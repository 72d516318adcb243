"""The door to torchvision opens whether or not its compiled library fits the installed torch."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from bisenet.network import torchvision_compat
from tests.conftest import ROOT


class FakeTorch:
    """The parts of torch that the shim touches, with a compiled library that brings ``library``."""

    def __init__(self, library: tuple[str, ...] | None, present: tuple[str, ...] = ()) -> None:
        self.library_brings = library
        self.declared: list[str] = []
        self.ops = SimpleNamespace(
            torchvision=SimpleNamespace(**dict.fromkeys(present, "theirs")),
            load_library=self.load_library,
        )
        self.library = SimpleNamespace(define=self.define)

    def load_library(self, path: str) -> None:
        if self.library_brings is None:
            raise OSError(f"{path}: undefined symbol")
        for name in self.library_brings:
            setattr(self.ops.torchvision, name, "compiled")

    def define(self, qualified: str, schema: str) -> None:
        name = qualified.removeprefix("torchvision::")
        assert not hasattr(self.ops.torchvision, name), f"{name} is defined twice"
        setattr(self.ops.torchvision, name, schema)
        self.declared.append(name)


@pytest.mark.parametrize(
    ("torch", "declared"),
    [
        pytest.param(FakeTorch(library=("nms", "qnms")), [], id="matching builds"),
        pytest.param(FakeTorch(library=None), ["nms", "qnms"], id="mismatched builds"),
        pytest.param(FakeTorch(library=("nms",)), ["qnms"], id="a library without qnms"),
        pytest.param(FakeTorch(None, present=("nms",)), ["qnms"], id="one declared by others"),
        pytest.param(FakeTorch(None, present=("nms", "qnms")), [], id="both there already"),
    ],
)
def test_only_what_is_missing_is_declared(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, torch: FakeTorch, declared: list[str]
) -> None:
    (tmp_path / "_C.so").touch()
    package = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(torchvision_compat, "torch", torch)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: package)

    torchvision_compat.prepare()
    assert torch.declared == declared
    torchvision_compat.prepare()
    assert torch.declared == declared, "a second call declares nothing"


def test_model_and_transforms_import_in_a_fresh_interpreter() -> None:
    code = (
        "import bisenet.network.bisenet, torch\n"
        "from bisenet.network import torchvision_compat\n"
        "torchvision_compat.prepare()\n"
        "from torchvision.transforms import v2\n"
        "print(tuple(v2.Resize((8, 8))(torch.zeros(3, 4, 4)).shape))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "(3, 8, 8)"
