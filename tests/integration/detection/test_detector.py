"""The detector: peaks become crops, both back ends agree, and it proposes what is there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bisenet.detection import detector as detector_module
from bisenet.detection.detector import CARD, Detector, Proposal, decode, shipped_detector, shrunk
from bisenet.images import samples
from bisenet.network import weights

# The astronaut's crop in the picture of 512 pixels, as the parser frames it.
CENTRE, SIDE = (224.0, 108.0), 172.0


@pytest.fixture(scope="module")
def detector() -> Detector:
    shipped = shipped_detector()
    assert shipped is not None
    return shipped


def _outputs(rows: int = 12, columns: int = 16) -> NDArray[np.float32]:
    outputs = np.zeros((6, rows, columns), np.float32)
    outputs[0] = -6.0
    outputs[4] = 1.0
    return outputs


def test_a_peak_becomes_a_crop() -> None:
    outputs = _outputs()
    turn = np.deg2rad(-50)
    outputs[:, 4, 9] = (2.0, 0.25, -0.5, np.log(2.0), np.cos(turn), np.sin(turn))
    (one,) = decode(outputs, 0.2)
    assert one.centre == pytest.approx((9.75 * 8 - 0.5, 4.0 * 8 - 0.5))
    assert one.side == pytest.approx(128)
    assert one.roll == pytest.approx(-50)
    assert one.score == pytest.approx(1 / (1 + np.exp(-2)))


def test_peaks_within_one_face_are_one_the_surest() -> None:
    outputs = _outputs()
    outputs[3] = np.log(2.0)
    for row, column, logit in ((5, 5, 1.0), (5, 8, 3.0), (5, 14, 2.0)):
        outputs[0, row, column] = logit
    kept = decode(outputs, 0.1)
    assert [round(c.centre[0]) for c in kept] == [68, 116]
    assert kept[0].score > kept[1].score
    assert decode(outputs, 0.99) == []


@pytest.mark.parametrize(
    ("height", "width"), [(900, 1200), (1200, 500), (4000, 3000), (300, 200), (700, 3), (1, 1)]
)
def test_a_glance_keeps_proportions_and_place(height: int, width: int) -> None:
    """A bright disc lies where it lay, to a pixel of the shrunk photo."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    spot = (0.7 * width, 0.3 * height)
    blob = np.exp(
        -((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / (2 * (0.08 * max(height, width)) ** 2)
    )
    photo = np.repeat((blob * 255).astype(np.uint8)[..., None], 3, axis=2)
    small = shrunk(photo, 384)
    scale = min(1.0, 384 / max(height, width))
    assert small.shape == (max(1, round(height * scale)), max(1, round(width * scale)), 3)
    if min(small.shape[:2]) > 50:
        rows, columns = np.mgrid[: small.shape[0], : small.shape[1]]
        light = np.where(small[..., 0] > 100, small[..., 0], 0).astype(float)
        assert (columns * light).sum() / light.sum() == pytest.approx(spot[0] * scale, abs=1)
        assert (rows * light).sum() / light.sum() == pytest.approx(spot[1] * scale, abs=1)


def _surest(detector: Detector, picture: Image.Image) -> Proposal:
    return detector.propose(np.asarray(picture), 384, 0.2)[0]


@pytest.mark.parametrize("factor", [0.4, 1.0, 3.0])
def test_a_face_is_proposed_where_it_is(detector: Detector, factor: float) -> None:
    size = round(512 * factor)
    one = _surest(detector, samples.astronaut().resize((size, size), Image.Resampling.BICUBIC))
    assert one.centre == pytest.approx((CENTRE[0] * factor, CENTRE[1] * factor), abs=20 * factor)
    assert one.side == pytest.approx(SIDE * factor, rel=0.25)
    assert one.score > 0.5


@pytest.mark.parametrize("turn", [-90, -30, 45, 90, 180])
def test_its_turn_is_told(detector: Detector, turn: int) -> None:
    one = _surest(
        detector, samples.astronaut().rotate(-turn, Image.Resampling.BICUBIC, expand=True)
    )
    assert (one.roll - turn + 180) % 360 - 180 == pytest.approx(0, abs=30)


def test_a_face_that_fills_the_picture_is_proposed(detector: Detector) -> None:
    face = samples.astronaut().crop((144, 22, 304, 200))
    one = _surest(detector, face)
    assert one.centre == pytest.approx((CENTRE[0] - 144, CENTRE[1] - 22), abs=20)


def test_nothing_is_likely_where_nothing_is(detector: Detector) -> None:
    for picture in (
        np.zeros((300, 400, 3), np.uint8),
        np.full((40, 900, 3), 200, np.uint8),
        np.random.default_rng(0).integers(0, 256, (400, 300, 3), dtype=np.uint8),
    ):
        assert detector.propose(picture, 384, 0.5) == []


def test_torch_and_openvino_say_the_same(detector: Detector) -> None:
    card = weights.weights_dir() / CARD
    state = detector_module.read_weights(card)
    picture = np.asarray(samples.astronaut().resize((384, 288)))[None].copy()
    served = detector_module._on_openvino(state)(picture)
    reference = detector_module._on_torch(state)(picture)
    assert served.shape == reference.shape == (6, 36, 48)
    # Half the digits where the CPU multiplies in bf16.
    assert np.abs(served[0] - reference[0]).max() < 0.25
    mine, other = decode(served, 0.5), decode(reference, 0.5)
    assert len(mine) == len(other) > 0
    assert mine[0].centre == pytest.approx(other[0].centre, abs=1.5)


def test_threads_do_not_mix_up_their_photos(detector: Detector) -> None:
    pictures = [np.roll(np.asarray(samples.astronaut()), 40 * i, axis=1).copy() for i in range(6)]
    alone = [detector.propose(p, 384, 0.3) for p in pictures]
    together: list[list[Proposal]] = [[] for _ in pictures]

    def work(number: int) -> None:
        for _ in range(3):
            together[number] = detector.propose(pictures[number], 384, 0.3)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(len(pictures))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


def test_without_openvino_torch_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)  # as if it were not installed
    one = _surest(Detector(weights.weights_dir() / CARD), samples.astronaut())
    assert one.side == pytest.approx(SIDE, rel=0.25)


def test_altered_weights_are_refused(tmp_path: Path) -> None:
    card = weights.weights_dir() / CARD
    file = json.loads(card.read_text())["file"]
    shutil.copy(card, tmp_path / CARD)
    (tmp_path / file).write_bytes((card.parent / file).read_bytes()[:-1] + b"\0")
    with pytest.raises(weights.WeightsError, match="SHA-256 differs"):
        Detector(tmp_path / CARD)
    (tmp_path / CARD).write_text("{}")
    with pytest.raises(weights.WeightsError, match="cannot be read"):
        Detector(tmp_path / CARD)


def test_another_weights_folder_need_not_hold_the_detector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BISENET_WEIGHTS_DIR", str(tmp_path))
    assert shipped_detector() is not None


def test_it_is_not_offered_for_parsing() -> None:
    card = json.loads((weights.weights_dir() / CARD).read_text())
    assert card["file"] not in {entry.path.name for entry in weights.catalog()}
    assert (weights.weights_dir() / card["file"]).stat().st_size < 1_500_000
    assert "non-commercial" in card["licence"]


def test_finding_needs_no_torch() -> None:
    code = (
        "import sys; import numpy as np; from bisenet.images import samples;"
        "from bisenet.detection.detector import shipped_detector;"
        "found = shipped_detector().propose(np.asarray(samples.astronaut()), 384, 0.5);"
        "print(len(found) > 0, 'torch' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.split() == ["True", "False"]
