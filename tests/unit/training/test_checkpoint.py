from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from bisenet.network.bisenet import BiSeNet
from bisenet.training.checkpoint import export_weights, load_checkpoint, save_checkpoint


@pytest.mark.parametrize("cut", [0, 10, 400])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"model": {"w": torch.ones(200)}})
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ValueError, match=r"checkpoint\.pt"):
        load_checkpoint(path)


def test_another_file_is_no_checkpoint(tmp_path: Path) -> None:
    torch.save({"other": 1}, tmp_path / "x.pt")
    with pytest.raises(ValueError, match="not a checkpoint"):
        load_checkpoint(tmp_path / "x.pt")


def test_exported_weights_are_half_precision_and_load(tmp_path: Path) -> None:
    model = BiSeNet().eval()
    path = tmp_path / "weights.safetensors"
    export_weights(path, model.state_dict(), {"made": "by a test"})
    halves = load_file(path)
    assert {t.dtype for t in halves.values()} == {torch.float16}
    again = BiSeNet()
    again.load_state_dict({k: v.float() for k, v in halves.items()})
    x = torch.zeros(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(again.eval()(x), model(x), atol=2e-2, rtol=1e-2)


def test_what_half_precision_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="big does not fit"):
        export_weights(tmp_path / "w.safetensors", {"big": torch.tensor([1e6])})
    assert list(tmp_path.iterdir()) == []
