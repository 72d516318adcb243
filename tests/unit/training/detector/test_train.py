"""Training the detector: scenes, what the network should say of them, and a run that resumes."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bisenet.cli.main import main
from bisenet.detection import detector as serving
from bisenet.detection.detector import CARD, Detector, decode
from bisenet.network.detector import DetectorNet, folded
from bisenet.training.detector.loss import encode, loss
from bisenet.training.detector.pieces import LEVELS
from bisenet.training.detector.scenes import SceneMaker, _blend, _judged, _matrix
from bisenet.training.detector.targets import Target
from bisenet.training.detector.train import DetectorConfig, DetectorTrainer, score
from tests.unit.training.helpers import face, write_faces

# The seed's first two draws leave a pasted piece as it is.
NOT_SLANTED = 1


@pytest.fixture(scope="module")
def maker() -> SceneMaker:
    return SceneMaker([face(seed, 128) for seed in range(3)], backgrounds=12)


def test_scenes_repeat_and_their_faces_lie_inside(maker: SceneMaker) -> None:
    faces = sizes = 0
    for seed in range(25):
        image, targets = maker.scene(np.random.default_rng(seed), 256)
        again, same = maker.scene(np.random.default_rng(seed), 256)
        assert image.shape == (256, 256, 3)
        assert image.dtype == np.uint8
        assert np.array_equal(image, again)
        assert targets == same
        assert all(0 <= v < 256 for t in targets for v in t.centre)
        faces += len(targets)
        sizes += len({round(t.side) for t in targets})
    assert faces > 25
    assert sizes > 10


def test_some_scenes_show_no_face(maker: SceneMaker) -> None:
    found = [maker.scene(np.random.default_rng(seed), 256)[1] for seed in range(40)]
    assert 1 <= sum(not targets for targets in found) <= 20


@pytest.mark.parametrize(("roll", "side"), [(0.0, 100.0), (70.0, 45.0), (-160.0, 180.0)])
def test_a_face_stands_where_its_target_says(roll: float, side: float) -> None:
    """A red dot above the middle of the crop, pasted, lies where the target's roll puts it."""
    piece = np.full((128, 128, 4), 255, np.uint8)
    cv2.circle(piece, (64, 24), 8, (255, 0, 0, 255), -1)
    target = Target((130.0, 120.0), side, roll)
    rng = np.random.default_rng(NOT_SLANTED)
    canvas, owner = np.zeros((256, 256, 3), np.uint8), np.zeros((256, 256), np.uint8)
    assert _blend(canvas, owner, piece, _matrix(rng, target, 128), 1)
    ys, xs = np.nonzero((canvas[..., 0] > 200) & (canvas[..., 1] < 60))
    angle, up = np.deg2rad(roll), 40 / 128 * side
    wanted = (130 + np.sin(angle) * up, 120 - np.cos(angle) * up)
    assert (xs.mean(), ys.mean()) == pytest.approx(wanted, abs=1.5)
    assert owner[120, 130] == 1


def test_a_covered_face_does_not_count() -> None:
    owner = np.zeros((200, 200), np.uint8)
    owner[50:150, 50:150] = 1
    target = Target((100.0, 100.0), 100.0, 0.0)
    assert _judged(1, target, owner, 20).counts
    assert not _judged(1, target, owner, 120).counts
    owner[90:150] = 2
    assert not _judged(1, target, owner, 20).counts


def _perfect(targets: list[Target], size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What is wanted, and outputs that say exactly that."""
    truth = encode(targets, size)
    outputs = np.concatenate([np.where(truth[:1] == 1, 8.0, -8.0), truth[1:6]])
    return truth, outputs.astype(np.float32)


def test_what_is_wanted_decodes_to_the_targets() -> None:
    targets = [Target((60.3, 90.8), 70.0, 140.0), Target((200.0, 200.5), 30.0, -35.0)]
    _, outputs = _perfect(targets, 256)
    found = sorted(decode(outputs, 0.5), key=lambda c: -c.side)
    assert len(found) == 2
    for one, target in zip(found, targets, strict=True):
        assert one.centre == pytest.approx(target.centre, abs=0.01)
        assert one.side == pytest.approx(target.side, rel=1e-3)
        assert one.roll == pytest.approx(target.roll, abs=0.01)


def test_what_does_not_count_is_neither_right_nor_wrong() -> None:
    truth = encode([Target((60.0, 60.0), 40.0, 0.0, counts=False)], 128)
    assert truth[0].max() == 0
    assert truth[7, 7, 7] == 0
    assert truth[7].sum() > 200


def test_the_loss_is_least_where_all_is_right() -> None:
    truth, outputs = _perfect([Target((100.0, 60.0), 60.0, 20.0)], 192)
    wanted = torch.from_numpy(truth[None])

    def of(change: tuple[int, float] | None) -> float:
        changed = outputs.copy()
        if change is not None:
            changed[change[0]] += change[1]
        focal, crops = loss(torch.from_numpy(changed[None]), wanted)
        return float(focal + crops)

    right = of(None)
    assert right < 0.05
    for change in ((0, 8.0), (0, -10.0), (1, 0.5), (3, 0.3), (5, 0.5)):
        assert of(change) > right + 0.05, change


def test_both_back_ends_are_the_network_that_was_trained() -> None:
    torch.manual_seed(0)
    net = DetectorNet()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d) and module.running_mean is not None:
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.running_mean, -0.5, 0.5)
    net.eval()
    pixels = np.random.default_rng(0).integers(0, 256, (1, 64, 96, 3), dtype=np.uint8)
    with torch.inference_mode():
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
        wanted = net((images - serving.MEAN) / serving.STD)[0].numpy()
    state = folded(net)
    assert np.abs(serving._on_torch(state)(pixels) - wanted).max() < 1e-4
    away = np.abs(serving._on_openvino(state)(pixels) - wanted)
    assert away.max() < 0.03 * np.abs(wanted).max()


def _config(data: Path, out: Path, steps: int) -> DetectorConfig:
    return DetectorConfig(
        data=data,
        out=out,
        steps=steps,
        batch=2,
        size=128,
        backgrounds=6,
        labels="bisenet",
        bf16=False,
    )


def test_two_steps_straight_equal_one_resumed_for_another(tmp_path: Path) -> None:
    data = write_faces(tmp_path / "data" / "train", 2).parent
    said: list[str] = []
    straight = DetectorTrainer(_config(data, tmp_path / "straight", 2), said.append)
    straight.run()

    first = DetectorTrainer(_config(data, tmp_path / "parts", 2), said.append)
    first.config.out.mkdir()
    first._finished = lambda: first.step >= 1  # type: ignore[method-assign]
    first.run()
    second = DetectorTrainer(_config(data, tmp_path / "parts", 2), said.append)
    second.resume()
    assert second.step == 1
    second.run()
    for key, value in straight.net.state_dict().items():
        assert torch.equal(value, second.net.state_dict()[key]), key
    for key, value in straight.average.state_dict().items():
        assert torch.equal(value, second.average.state_dict()[key]), key


def test_the_command_trains_scores_and_does_not_overwrite(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_faces(tmp_path / "data" / "train", 2)
    write_faces(tmp_path / "data" / "val", 1)
    out = tmp_path / "out"
    options = ["--steps", "1", "--batch", "1", "--size", "128", "--backgrounds", "6"]
    options += ["--labels", "bisenet"]
    command = ["train-finder", "--data", str(tmp_path / "data"), "--out", str(out), *options]
    assert main([*command, "--licence", "own"]) == 0
    card = json.loads((out / CARD).read_text())
    assert card["licence"] == "own"
    assert "2 faces, 1 steps" in card["made"]
    assert len(Detector(out / CARD).propose(np.zeros((200, 300, 3), np.uint8), 128, 0.9)) == 0
    assert "faces proposed" in capsys.readouterr().out
    assert main(command) == 2
    assert "--resume" in capsys.readouterr().err
    assert main([*command[:4], str(tmp_path / "none"), *options, "--resume"]) == 2


def test_a_detector_that_says_nothing_finds_nothing(maker: SceneMaker, tmp_path: Path) -> None:
    data = write_faces(tmp_path / "data", 1)
    card = DetectorTrainer(_config(data, tmp_path / "out", 0), lambda _: None).run()
    result = score(Detector(card), maker, 5, 0.5, 128)
    assert result.faces > 0
    assert (result.recall, result.false_a_scene) == (0.0, 0.0)


def test_levels_reach_from_the_smallest_to_the_whole_crop() -> None:
    assert min(LEVELS) <= 40
    assert max(LEVELS) == 512
