from __future__ import annotations

import argparse
import copy
import csv
import dataclasses
import json
import os
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bisenet.cli import train as command
from bisenet.data.faces import DataError
from bisenet.network.bisenet import BiSeNet
from bisenet.training.checkpoint import load_checkpoint
from bisenet.training.replicas import Replicas
from bisenet.training.train import CHECKPOINT, METRICS, TrainConfig, Trainer
from tests.unit.training.helpers import write_faces


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("faces")
    write_faces(root / "train", 4)
    write_faces(root / "val", 1)
    return root


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _file: None)


def config(data: Path, out: Path) -> TrainConfig:
    return TrainConfig(
        data=data,
        out=out,
        labels="bisenet",
        phases="32:1,64x2:1",
        batch=2,
        bf16=False,
        workers=0,
        warmup=2,
        score_every=1,
        score_size=64,
        repeat_threshold=0.6,
    )


def test_two_epochs_straight_equal_one_resumed_for_another(data: Path, tmp_path: Path) -> None:
    straight = Trainer(config(data, tmp_path / "straight"))
    weights = straight.run()

    # The run stops after its first epoch, and a new process takes over.
    first = Trainer(config(data, tmp_path / "parts"))
    first._finished = lambda: first.epoch >= 1  # type: ignore[method-assign]
    first.run()
    second = Trainer(config(data, tmp_path / "parts"))
    torch.manual_seed(99)
    second.resume(tmp_path / "parts" / CHECKPOINT)
    assert second.epoch == 1
    again = second.run()

    one = load_checkpoint(tmp_path / "straight" / CHECKPOINT)
    two = load_checkpoint(tmp_path / "parts" / CHECKPOINT)
    for key in ("model", "ema"):
        for name, tensor in one[key].items():
            assert torch.equal(tensor, two[key][name]), (key, name)
    for number, state in one["optimizer"]["state"].items():
        for name, value in state.items():
            assert torch.equal(value, two["optimizer"]["state"][number][name])
    assert one["steps"] == two["steps"] == 4
    assert torch.equal(one["random"], two["random"])
    assert weights.read_bytes() == again.read_bytes()
    same = ("epoch", "size", "rate", "loss", "miou", "mean_f1")
    for a, b in zip(one["history"], two["history"], strict=True):
        assert [a[k] for k in same] == [b[k] for k in same]

    rows = list(csv.DictReader((tmp_path / "parts" / METRICS).open()))
    assert [(r["epoch"], r["size"]) for r in rows] == [("1", "32"), ("2", "64")]
    assert all(r["miou"] for r in rows)
    kept = json.loads((tmp_path / "parts" / "config.json").read_text())
    assert kept["phases"] == "32:1,64x2:1"
    assert kept["augment"]["mirror"] == 0.5


def test_accumulated_batches_make_one_step(data: Path, tmp_path: Path) -> None:
    small = dataclasses.replace(config(data, tmp_path), accumulate=2, phases="32:1", val=None)
    trainer = Trainer(small)
    trainer.run()
    assert trainer.steps == 1


def test_a_time_bound_run_ends(data: Path, tmp_path: Path) -> None:
    trainer = Trainer(dataclasses.replace(config(data, tmp_path), minutes=1e-4, phases="32:1"))
    trainer.run()
    assert trainer.epoch == 1


def loss_of(model: BiSeNet, x: Tensor, _mask: Tensor) -> Tensor:
    return model.forward_heads(x)[0].square().mean()


def test_replicas_share_the_mean_of_their_batch_statistics() -> None:
    threads = torch.get_num_threads()
    torch.manual_seed(0)
    images, masks = torch.randn(4, 3, 64, 64), torch.zeros(4, 64, 64)

    model = BiSeNet()
    both, parts = Replicas(model, 2), [copy.deepcopy(model) for _ in range(2)]
    try:
        both.train()
        both.backward(images, masks, loss_of)
        for part, half in zip(parts, images.chunk(2), strict=True):
            part.train().forward_heads(half)
    finally:
        torch.set_num_threads(threads)
    name = "context_path.backbone.bn1.running_mean"
    wanted = torch.stack([part.state_dict()[name] for part in parts]).mean(0)
    for found in both.models:
        torch.testing.assert_close(found.state_dict()[name], wanted)


def test_replicas_give_the_gradient_of_the_whole_batch() -> None:
    threads = torch.get_num_threads()
    torch.manual_seed(0)
    images, masks = torch.randn(4, 3, 32, 32), torch.zeros(4, 32, 32)

    alone = BiSeNet().eval()  # fixed batch statistics: only then is the sum the whole
    both = Replicas(alone, 2)
    try:
        expected = Replicas(alone, 1).backward(images, masks, loss_of)
        gradients = [p.grad.clone() for p in alone.parameters() if p.grad is not None]
        alone.zero_grad()
        assert both.backward(images, masks, loss_of) == pytest.approx(expected, rel=1e-4)
        found = [p.grad for p in alone.parameters() if p.grad is not None]
        for a, b in zip(found, gradients, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-6)
        assert all(p.grad is None for p in both.models[1].parameters())
        assert next(alone.parameters()).data_ptr() == next(both.models[1].parameters()).data_ptr()
    finally:
        torch.set_num_threads(threads)


def test_faces_are_held_back_where_no_val_is_given(data: Path, tmp_path: Path) -> None:
    apart = dataclasses.replace(config(data / "train", tmp_path), hold_out=0.25)
    trainer = Trainer(apart)
    held = {f.image for f in trainer.plan.val_files}
    assert len(held) == 1
    assert held.isdisjoint(f.image for f in trainer.dataset.sources[0].files)
    assert held == {f.image for f in Trainer(apart).plan.val_files}


def test_bad_data_stops_the_run_before_it_starts(data: Path, tmp_path: Path) -> None:
    write_faces(tmp_path / "bad", 2)
    (tmp_path / "bad" / "masks" / "001.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"001\.png"):
        Trainer(config(tmp_path / "bad", tmp_path / "out"))
    with pytest.raises(DataError, match="no such folder"):
        Trainer(config(tmp_path / "nowhere", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_of_another_network_is_refused(data: Path, tmp_path: Path) -> None:
    trainer = Trainer(dataclasses.replace(config(data, tmp_path), phases="32:1", score_every=9))
    trainer.run()
    larger = Trainer(dataclasses.replace(config(data, tmp_path), backbone="resnet34"))
    with pytest.raises(ValueError, match="another network"):
        larger.resume(tmp_path / CHECKPOINT)


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args(words)


def test_command_draws_a_contact_sheet(data: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    given = arguments(
        *("--data", str(data), "--out", str(tmp_path / "run"), "--labels", "bisenet"),
        *("--contact-sheet", str(sheet)),
    )
    assert command.run(given) == 0
    assert sheet.read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "run").exists()


def test_command_minds_what_is_there(data: Path, tmp_path: Path) -> None:
    words = ("--data", str(data), "--out", str(tmp_path), "--labels", "bisenet")
    with pytest.raises(ValueError, match="nothing to resume"):
        command.run(arguments(*words, "--resume"))
    (tmp_path / CHECKPOINT).write_bytes(b"x")
    with pytest.raises(ValueError, match="add --resume"):
        command.run(arguments(*words))
