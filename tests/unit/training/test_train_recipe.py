"""Runs that follow a recipe: several data sets, rounds, a student; all of it small."""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bisenet.cli import train as command
from bisenet.network.bisenet import BiSeNet
from bisenet.network.weights import WeightsError, load_model
from bisenet.training import train as module
from bisenet.training.checkpoint import load_checkpoint
from bisenet.training.networks import take_backbone
from bisenet.training.train import CHECKPOINT, METRICS, TrainConfig, Trainer
from tests.conftest import ROOT
from tests.unit.training.helpers import face, write_faces

RECIPE = """\
[network]
backbone = "resnet18"
peak = 1e-3

[student]
backbone = "xception39"
spatial_path = true
peak = 2e-3
every = 2

[run]
samples = 8
batch = 4
steer = "faces"
warmup = 2
score_every = 2
score_size = 64

[[data]]
name = "faces"
path = "faces"
labels = "bisenet"
held_out = "held.txt"

[[data]]
name = "hair"
path = "hair"
kind = "partial"
labels = "bisenet"
crop = "loose"
pseudo = 1

[[data]]
name = "photos"
path = "photos"
kind = "unlabelled"
pseudo = 1

[[round]]
phases = "64x4:1"

[[round]]
phases = "64x4:1"
peak = 0.5
"""


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _file: None)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three small data sets and a recipe for them."""
    faces = write_faces(tmp_path / "faces", 4)
    held = hashlib.sha256((faces / "images" / "003.png").read_bytes()).hexdigest()
    (tmp_path / "held.txt").write_text(held + "\n")
    write_faces(tmp_path / "hair", 2)
    for path in (tmp_path / "hair" / "masks").iterdir():
        mask = np.array(Image.open(path))
        Image.fromarray(np.where(mask == 17, 17, 254).astype(np.uint8)).save(path)
    write_faces(tmp_path / "photos", 2)
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return tmp_path


@pytest.fixture
def sure_labels(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The second photo of each set gets its own labels: an untrained network finds no face."""
    asked: list[str] = []

    def labels(model, photos, _options, _device, _bf16, truths):  # type: ignore[no-untyped-def]
        asked.append(model.backbone_name)
        return [None, *(face(i)[1] for i in range(1, len(photos)))]

    monkeypatch.setattr(module, "label_photos", labels)
    return asked


def config(root: Path, out: str) -> TrainConfig:
    return TrainConfig(
        data=root, out=root / out, recipe=root / "recipe.toml", workers=0, bf16=False
    )


def test_rounds_label_photos_and_teach_a_student(root: Path, sure_labels: list[str]) -> None:
    trainer = Trainer(config(root, "out"))
    assert [len(s.files) for s in trainer.plan.sources] == [3, 2, 2]
    assert [f.image.name for f in trainer.plan.val_files] == ["003.png"]
    assert trainer.sampler.shares.tolist() == [0.5, 0.5, 0]
    weights = trainer.run()
    assert sure_labels == ["resnet18", "resnet18"]  # hair and photos, after the first round
    assert trainer.sampler.shares == pytest.approx([1 / 3] * 3)
    shown = [source.shown for source in trainer.plan.sources]
    assert shown[0] is None
    assert shown[1] is not None
    assert shown[1].all()  # what was known stays, labelled anew or not
    assert shown[2] is not None
    assert shown[2].tolist() == [False, True]
    assert load_model(weights).backbone_name == "resnet18"
    student = load_model(root / "out" / "bisenet_xception39.safetensors")
    assert student.spatial_path is not None
    rows = list(csv.DictReader((root / "out" / METRICS).open()))
    assert [row["round"] for row in rows] == ["1", "2"]
    assert rows[1]["miou"]
    assert rows[1]["student_miou"]


def test_a_run_resumed_between_rounds_is_the_same(root: Path, sure_labels: list[str]) -> None:
    straight = Trainer(config(root, "straight"))
    straight.run()
    first = Trainer(config(root, "parts"))
    first._finished = lambda: first.epoch >= 1  # type: ignore[method-assign]
    first.run()
    second = Trainer(config(root, "parts"))
    torch.manual_seed(9)
    second.resume(root / "parts" / CHECKPOINT)
    assert second.labelled == 1
    second.run()
    one, two = (load_checkpoint(root / name / CHECKPOINT) for name in ("straight", "parts"))
    for key in ("model", "ema", "student_model", "student_ema"):
        for name, tensor in one[key].items():
            assert torch.equal(tensor, two[key][name]), (key, name)


def test_a_teacher_changes_what_is_learned(root: Path) -> None:
    text = RECIPE.split("[student]")[0] + "[run]" + RECIPE.split("[run]")[1]
    text = text.replace("pseudo = 1", "").split('[[data]]\nname = "photos"')[0]
    text += '[[round]]\nphases = "64x4:1"\n'
    (root / "recipe.toml").write_text(text)
    Trainer(config(root, "teacher")).run()
    taught = []
    for name, teacher in (
        ("alone", ""),
        ("taught", 'teacher = "teacher/bisenet_resnet18.safetensors"\n'),
    ):
        (root / "recipe.toml").write_text(teacher + text)
        trainer = Trainer(config(root, name))
        trainer.run()
        taught.append(trainer.model.head.classifier.weight.detach().clone())
    assert not torch.equal(*taught)


def test_the_command_follows_a_recipe(root: Path, sure_labels: list[str]) -> None:
    def arguments(*words: str) -> argparse.Namespace:
        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        return parser.parse_args(words)

    words = ("--recipe", str(root / "recipe.toml"), "--out", str(root / "out"), "--workers", "0")
    with pytest.raises(ValueError, match="--data-root"):
        command.run(arguments(*words))
    assert command.run(arguments(*words, "--data-root", str(root), "--f32")) == 0
    assert (root / "out" / "bisenet_resnet18.safetensors").is_file()


def test_a_backbone_is_taken_as_far_as_it_fits(tmp_path: Path) -> None:
    torch.manual_seed(0)
    donor = BiSeNet().context_path.backbone.state_dict()
    path = tmp_path / "imagenet.pth"
    kept = {k: v for k, v in donor.items() if not k.startswith("layer4.1")}
    kept["fc.weight"] = torch.zeros(1000, 512)
    kept["conv1.weight"] = torch.zeros(64, 1, 7, 7)
    torch.save(kept, path)
    torch.manual_seed(1)
    model = BiSeNet()
    before = {k: v.clone() for k, v in model.context_path.backbone.state_dict().items()}
    said = take_backbone(model, path)
    after = model.context_path.backbone.state_dict()
    assert torch.equal(after["layer1.0.conv1.weight"], donor["layer1.0.conv1.weight"])
    assert torch.equal(after["conv1.weight"], before["conv1.weight"])
    assert torch.equal(after["layer4.1.conv1.weight"], before["layer4.1.conv1.weight"])
    assert "89 of the backbone's 100 tensors taken" in said
    assert "at random: conv1.weight, layer4.1.bn1.bias" in said
    assert "not used: conv1.weight, fc.weight" in said
    torch.save({"fc.weight": torch.zeros(2, 2)}, path)
    with pytest.raises(WeightsError, match="no tensor has a name and shape"):
        take_backbone(model, path)


def test_a_recipes_start_file_must_be_the_one_it_names(root: Path) -> None:
    text = RECIPE.replace("peak = 1e-3", f'start = "x.safetensors"\nstart_sha256 = "{"0" * 64}"', 1)
    (root / "recipe.toml").write_text(text)
    (root / "x.safetensors").write_bytes(b"x")
    with pytest.raises(WeightsError, match="not the file that the recipe names"):
        Trainer(config(root, "out"))


def test_training_needs_few_packages(root: Path) -> None:
    """A machine with a GPU may hold torch, OpenCV and their like, and nothing of ours besides."""
    script = """
import sys
MISSING = {"streamlit", "openvino", "pillow_heif", "threadpoolctl", "tomli_w", "plotly",
           "starlette", "uvicorn", "pyarrow", "pycocotools", "prometheus_client", "multipart"}
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in MISSING:
            raise ImportError(f"{name} is not there")
sys.meta_path.insert(0, Missing())
import bisenet.training.pseudo, bisenet.evaluation.metrics
from bisenet.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
    text = RECIPE.split("[student]")[0] + "[run]" + RECIPE.split("[run]")[1]
    text = text.replace("pseudo = 1", "").split('[[data]]\nname = "photos"')[0]
    (root / "recipe.toml").write_text(text + '[[round]]\nphases = "32x4:1"\n')
    words = ["train", "--recipe", str(root / "recipe.toml"), "--data-root", str(root)]
    done = subprocess.run(
        [sys.executable, "-c", script, *words, "--out", str(root / "out"), "--workers", "0"],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (root / "out" / "bisenet_resnet18.safetensors").is_file()
