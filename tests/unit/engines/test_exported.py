"""A network written as ONNX and OpenVINO, read back by both."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bisenet.cli.main import main
from bisenet.engines import exported
from bisenet.network.bisenet import BackboneName, BiSeNet
from bisenet.training.checkpoint import export_weights


def random_weights(folder: Path, backbone: BackboneName, spatial_path: bool) -> str:
    torch.manual_seed(0)
    path = folder / f"{backbone}.safetensors"
    export_weights(path, BiSeNet(backbone=backbone, spatial_path=spatial_path).state_dict())
    return str(path)


@pytest.mark.parametrize(("backbone", "spatial_path"), [("resnet18", False), ("xception39", True)])
def test_what_is_written_gives_the_same_logits(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    backbone: BackboneName,
    spatial_path: bool,
) -> None:
    weights = random_weights(tmp_path, backbone, spatial_path)
    onnx, openvino = tmp_path / "n.onnx", tmp_path / "n.xml"
    words = ["weights", "export", weights, "--onnx", str(onnx), "--openvino", str(openvino)]
    assert main(words) == 0
    assert onnx.is_file()
    assert openvino.with_suffix(".bin").is_file()
    assert capsys.readouterr().out.count("read back") == 2


def test_another_networks_file_is_told_apart(tmp_path: Path) -> None:
    weights = random_weights(tmp_path, "resnet18", False)
    exported.export_openvino(weights, tmp_path / "n.xml")
    torch.manual_seed(1)
    export_weights(tmp_path / "other.safetensors", BiSeNet().state_dict())
    off = exported.difference(str(tmp_path / "other.safetensors"), tmp_path / "n.xml")
    assert off > 10 * exported.TOLERANCE


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "Name a file"),
        (["--onnx", "net.pb"], "must end in .onnx"),
        (["--openvino", "nowhere/net.xml"], "nowhere is no folder"),
    ],
)
def test_wrong_words_get_a_sentence(
    capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    assert main(["weights", "export", *words]) == 2
    assert says in capsys.readouterr().err
