from __future__ import annotations

import argparse
import gzip
import io
import os
import pickle
import re
import shutil
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper
from safetensors.torch import load_file, save_file

from bisenet.network import checkpoints, weights
from bisenet.network.bisenet import BiSeNet
from bisenet.network.weights import WeightsError
from tests.conftest import CASES


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A weights folder of its own, with the shipped manifest and file."""
    folder = tmp_path / "weights"
    shutil.copytree(weights.weights_dir(), folder)
    shutil.rmtree(folder / "local", ignore_errors=True)
    monkeypatch.setenv("BISENET_WEIGHTS_DIR", str(folder))
    return folder


@pytest.fixture(scope="module")
def published() -> dict[str, torch.Tensor]:
    """Random weights under the names of face-parsing.PyTorch."""
    torch.manual_seed(3)
    inverse = [(ours, theirs) for ours, theirs in checkpoints.LAYOUTS["face-parsing.PyTorch"]]
    state = OrderedDict()
    for name, tensor in BiSeNet().state_dict().items():
        for ours, theirs in inverse:
            if name.startswith(ours):
                name = theirs + name.removeprefix(ours)
                break
        state[name] = tensor
    return state


def test_the_shipped_weights_load_and_their_hash_holds() -> None:
    entry = weights.catalog()[0]
    assert weights.file_hash(entry.path) == entry.sha256
    model = weights.load_model("default")
    assert not model.training
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_logits_have_the_size_of_the_input() -> None:
    with torch.inference_mode():
        logits = weights.load_model("default")(torch.zeros(2, 3, 96, 64))
    assert logits.shape == (2, 19, 96, 64)


@pytest.mark.parametrize(
    ("suffix", "wrap"),
    [
        (".safetensors", None),
        (".PTH", None),
        (".pt", "state_dict"),
        (".ckpt", "model"),
        (".pth.tar", "params"),
        (".bin", "params_ema"),
        (".Ckpt", "model_ema"),
        (".pth.TAR", "state_dict_ema"),
    ],
)
def test_added_weights_are_selectable_and_give_the_same_logits(
    shelf: Path, tmp_path: Path, published: dict[str, Any], suffix: str, wrap: str | None
) -> None:
    source = tmp_path / f"79999 iter{suffix}"
    if suffix == ".safetensors":
        save_file(published, source)
    else:
        torch.save({wrap: published} if wrap else published, source)
    entry = weights.add(source)
    assert entry.name == "79999-iter"
    assert entry in weights.catalog()
    assert weights.catalog()[0].name != entry.name, "the default stays the default"
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(weights.load_model(entry.name)(x), weights.load_model(source)(x))


def test_averaged_weights_are_preferred_where_they_are_weights(
    tmp_path: Path, published: dict[str, Any]
) -> None:
    averaged = {f"module.{name}": tensor + 1 for name, tensor in published.items()}
    source = tmp_path / "both.pth"
    name = "cp.resnet.conv1.weight"
    ours = "context_path.backbone.conv1.weight"
    for ema, expected in (
        (averaged, averaged[f"module.{name}"]),
        ({"decay": torch.tensor(0.99), "shadow_params": [torch.zeros(1)]}, published[name]),
    ):
        torch.save({"model": published, "ema": ema, "epoch": 3}, source)
        assert torch.equal(weights.read_checkpoint(source)[0][ours], expected)
    torch.save({"model": {"state_dict": published}}, source)
    assert torch.equal(weights.read_checkpoint(source)[0][ours], published[name])


def test_what_scripts_save_beside_the_weights_is_left_aside(
    shelf: Path, tmp_path: Path, published: dict[str, Any]
) -> None:
    source = tmp_path / "best.pth"
    extras = {
        "best_miou": np.float64(0.75),
        "iou": np.linspace(0, 1, 19, dtype=np.float32),
        "step": np.int64(80_000),
        "args": argparse.Namespace(lr=0.01, out=Path("runs")),
        "parameters": torch.nn.Parameter(torch.zeros(2)),
    }
    state = {name: torch.nn.Parameter(t, t.is_floating_point()) for name, t in published.items()}
    torch.save({**extras, "state_dict": state}, source)
    assert weights.load_model(weights.add(source).name).eval()
    assert "argparse.Namespace" not in str(torch.serialization.get_safe_globals())


@pytest.mark.parametrize("wanted", ["scalar", "dtype", "_reconstruct"])
def test_nothing_of_numpy_runs_for_the_extras(tmp_path: Path, wanted: str) -> None:
    """A pickle that calls what is let through with arguments of its own gets an empty object."""
    module = "numpy" if wanted == "dtype" else "numpy._core.multiarray"
    program = b"\x80\x02}X\x01\x00\x00\x00a" + f"c{module}\n{wanted}\n".encode()
    program += b"X\x03\x00\x00\x00???\x85R}bs."
    source = tmp_path / "odd.pth"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("odd/data.pkl", program)
        archive.writestr("odd/version", "3\n")
    with pytest.raises(WeightsError, match="'a' is not a tensor"):
        weights.read_checkpoint(source)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_what_is_something_else_is_called_by_its_name(tmp_path: Path, suffix: str) -> None:
    onnx_file = io.BytesIO()
    onnx.save(
        helper.make_model(helper.make_graph([], "g", [], []), producer_name="pytorch"), onnx_file
    )
    script = io.BytesIO()
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), script)
    cases = {
        "is a web page": (CASES / "web-page.pth").read_bytes(),
        "is a Git LFS pointer": (CASES / "lfs-pointer.pth").read_bytes(),
        "is an ONNX network": onnx_file.getvalue(),
        "is an XML text": b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
        "is a JSON text": b' {"message": "Not Found"}',
        "is compressed with gzip": gzip.compress(b"weights"),
        "is a picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
    }
    if suffix == ".pth":
        cases["is a TorchScript program"] = script.getvalue()
    for says, data in cases.items():
        source = tmp_path / f"file{suffix}"
        source.write_bytes(data)
        with pytest.raises(WeightsError) as caught:
            weights.read_checkpoint(source)
        assert str(caught.value).startswith(f"{source.name} {says}")
        assert str(caught.value).endswith(".")


def test_two_files_can_be_added_and_a_name_only_once(
    shelf: Path, tmp_path: Path, published: dict[str, Any]
) -> None:
    source = tmp_path / "mine.pth"
    torch.save(published, source)
    weights.add(source)
    weights.add(source, name="again")
    assert [e.name for e in weights.catalog()][-2:] == ["mine", "again"]
    with pytest.raises(WeightsError, match="taken"):
        weights.add(source)
    with pytest.raises(WeightsError, match="taken"):
        weights.add(source, name="default")
    with pytest.raises(WeightsError, match="no name"):
        weights.add(source, name="../mine")


class Trap:
    """Writes a file when it is unpickled without care."""

    def __init__(self, target: Path):
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.target,))


class Command:
    """As ``Trap``, by a function of a module that torch blocks in words of its own."""

    def __init__(self, target: Path):
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.target),))


@pytest.mark.parametrize("how", ["torch", "pickle", "command"])
def test_a_pickle_that_wants_to_run_code_is_refused(tmp_path: Path, how: str) -> None:
    sprung, source = tmp_path / "sprung", tmp_path / "trap.pth"
    if how == "torch":
        torch.save({"state_dict": Trap(sprung)}, source)
    elif how == "command":
        torch.save({"state_dict": Command(sprung)}, source)
    else:
        source.write_bytes(pickle.dumps(Trap(sprung)))
    with pytest.raises(WeightsError, match=r"refused.*run code"):
        weights.read_checkpoint(source)
    assert not sprung.exists()


def test_a_whole_pickled_model_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "model.pt"
    torch.save(torch.nn.Linear(2, 2), source)
    with pytest.raises(WeightsError, match="Save the state_dict alone"):
        weights.read_checkpoint(source)


def test_wrong_files_name_what_is_wrong(
    shelf: Path, tmp_path: Path, published: dict[str, Any]
) -> None:
    eleven = dict(published)
    eleven["conv_out.conv_out.weight"] = torch.zeros(11, 256, 1, 1)
    missing = {k: v for k, v in published.items() if k != "cp.arm16.conv.conv.weight"}
    cases: dict[str, tuple[Any, str]] = {
        "eleven.pth": (eleven, r"conv_out\.conv_out\.weight.*11"),
        "missing.pth": (missing, r"cp\.arm16\.conv\.conv\.weight"),
        "other.pth": ({"fc.weight": torch.zeros(3, 3)}, r"fc\.weight"),
        "list.pth": ([torch.zeros(1)], "no named tensors"),
        "epoch.pth": ({**published, "epoch": 3}, "'epoch' is not a tensor"),
    }
    for name, (content, says) in cases.items():
        torch.save(content, tmp_path / name)
        with pytest.raises(WeightsError, match=says):
            weights.add(tmp_path / name)
    assert not (shelf / "local").exists(), "a refused file leaves nothing behind"


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_truncated_empty_and_alien_files_are_refused(
    tmp_path: Path, published: dict[str, Any], suffix: str
) -> None:
    whole = tmp_path / f"whole{suffix}"
    if suffix == ".safetensors":
        save_file(published, whole)
    else:
        torch.save(published, whole)
    for name, data in {
        "truncated": whole.read_bytes()[:100_000],
        "empty": b"",
        "alien": b"\x89PNG\r\n\x1a\n" + bytes(1000),
    }.items():
        source = tmp_path / f"{name}{suffix}"
        source.write_bytes(data)
        with pytest.raises(WeightsError, match=rf"{name}\{suffix} is"):
            weights.read_checkpoint(source)


def test_an_altered_file_is_not_loaded(shelf: Path) -> None:
    entry = weights.catalog()[0]
    state = load_file(entry.path)
    state["head.classifier.weight"] += 1
    save_file(state, entry.path)
    with pytest.raises(WeightsError, match="SHA-256"):
        weights.load_model("default")


def test_unknown_names_list_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=weights.catalog()[0].name):
        weights.resolve("nonsense")
    with pytest.raises(WeightsError, match="There are no weights"):
        weights.resolve(tmp_path / "missing.pth")
    with pytest.raises(WeightsError, match="not a checkpoint: use"):
        weights.read_checkpoint(Path(__file__))


def test_a_broken_manifest_is_named(shelf: Path) -> None:
    (shelf / "manifest.toml").write_text("[[weights]\n")
    with pytest.raises(WeightsError, match=r"manifest\.toml"):
        weights.catalog()


def test_weights_that_are_no_numbers_are_refused(
    shelf: Path, tmp_path: Path, published: dict[str, Any]
) -> None:
    name, tensor = next((k, v) for k, v in published.items() if v.is_floating_point())
    torch.save({**published, name: torch.full_like(tensor, float("nan"))}, tmp_path / "bad.pth")
    with pytest.raises(WeightsError, match=r"bad\.pth: \S+ holds values that are no numbers"):
        weights.add(tmp_path / "bad.pth")
    assert not (shelf / "local").exists()


@pytest.mark.parametrize("value", ["0", "-1.5", '"warm"'])
def test_a_temperature_that_is_none_is_refused(shelf: Path, value: str) -> None:
    manifest = shelf / "manifest.toml"
    text = manifest.read_text()
    assert "temperature = 1.2" in text
    manifest.write_text(re.sub(r"(?m)^temperature = .*$", f"temperature = {value}", text))
    with pytest.raises(WeightsError, match=r"cannot be read: .*(temperature|float)"):
        weights.catalog()
