"""int8 of weights that a person added: NNCF, really run, on a few faces."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from bisenet.cli.main import main
from bisenet.engines import cpu, open_engine
from bisenet.engines.quantised import why_not_int8
from bisenet.network import weights
from bisenet.network.bisenet import BiSeNet
from bisenet.training.checkpoint import export_weights


def test_added_weights_get_an_int8_form_from_a_persons_faces(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    portrait: Image.Image,
) -> None:
    folder, faces = tmp_path / "weights", tmp_path / "faces"
    folder.mkdir()
    faces.mkdir()
    monkeypatch.setenv("BISENET_WEIGHTS_DIR", str(folder))
    torch.manual_seed(0)
    network = BiSeNet(backbone="xception39", spatial_path=True)
    export_weights(tmp_path / "mine.safetensors", network.state_dict())
    for turn in range(3):
        portrait.rotate(10 * turn).save(faces / f"{turn}.png")
    words = ["weights", "quantise", str(tmp_path / "mine.safetensors"), "--data", str(faces)]
    assert main(words) == 2
    assert "in no manifest" in capsys.readouterr().err
    assert main(["weights", "add", str(tmp_path / "mine.safetensors")]) == 0
    assert "quantise mine --data" in why_not_int8(weights.resolve("mine"))
    words[2] = "mine"
    assert main(words) == 0
    entry = weights.resolve("mine")
    assert entry.path.parent == folder / "local"
    assert why_not_int8(entry) == ""
    assert main(words) == 0
    assert "already has an int8 form" in capsys.readouterr().out
    if cpu.best_of(cpu.INT8, cpu.features()):
        assert open_engine("openvino-int8", "mine", threads=1).info.precision == "int8"
