from __future__ import annotations

import pickle
import shutil
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from bisenet import layouts, weights
from bisenet.model import BiSeNet
from bisenet.weights import WeightsError


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
    inverse = [(ours, theirs) for ours, theirs in layouts.LAYOUTS["face-parsing.PyTorch"]]
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


@pytest.mark.parametrize("wrap", [None, "state_dict", "model"])
@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
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


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_a_pickle_that_wants_to_run_code_is_refused(tmp_path: Path, how: str) -> None:
    sprung, source = tmp_path / "sprung", tmp_path / "trap.pth"
    if how == "torch":
        torch.save({"state_dict": Trap(sprung)}, source)
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
