from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bisenet.classes import BY_NAME
from bisenet.cli import evaluate as command
from bisenet.data.augment import IGNORE
from bisenet.data.faces import find_faces, read_face
from bisenet.evaluation import robustness
from bisenet.evaluation.folder_score import as_table, evaluate, flip_averaged, predictor
from bisenet.geometry.crops import whole_crop
from bisenet.network.bisenet import BiSeNet
from bisenet.parser import FaceParser
from bisenet.training.checkpoint import export_weights
from tests.unit.training.helpers import face, write_faces

Array = NDArray[np.uint8]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    export_weights(path, BiSeNet().state_dict())
    return path


def test_a_perfect_prediction_scores_one(tmp_path: Path) -> None:
    files = find_faces(write_faces(tmp_path, 3), "bisenet")
    masks = {read_face(f)[0].tobytes(): read_face(f)[1] for f in files}
    result = evaluate(lambda image: masks[image.tobytes()], files)
    assert result.scores.miou == result.scores.mean_f1 == result.scores.mean_boundary_f1 == 1
    assert list(result.per_image.values()) == [1, 1, 1]
    table = as_table(result.scores)
    assert re.search(r"^l_brow +- +- +- +0 +0$", table, re.MULTILINE)
    assert "mIoU 1.0000" in table


def test_predictions_are_scored_at_the_masks_resolution(tmp_path: Path) -> None:
    files = find_faces(write_faces(tmp_path, 1), "bisenet")
    result = evaluate(lambda _image: np.zeros((32, 32), np.uint8), files)
    assert result.scores.confusion.sum() == 64 * 64


def test_command_prints_what_the_design_asks_for(
    tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_faces(tmp_path / "data", 3)
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    words = ["--data", str(tmp_path / "data"), "--labels", "bisenet", "--framing", "whole"]
    words += ["--weights", str(weights), "--engine", "torch", "--limit", "2", "--json"]
    assert command.run(parser.parse_args([*words, "--out", str(tmp_path / "out")])) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["images"] == 2
    assert 0 <= report["miou"] <= 1
    assert 0 <= report["mean_f1"] <= 1
    assert list(report["per_class"])[:2] == ["background", "skin"]
    assert {"iou", "f1", "pixels"} <= set(report["per_class"]["hair"])
    assert json.loads((tmp_path / "out" / "scores.json").read_text())["miou"] == report["miou"]


class LeftIsBright:
    """Stands in for a FaceParser: calls everything a left eye, the surer the brighter it is."""

    def parse(self, image: Array, framing: str) -> SimpleNamespace:
        assert framing == "whole"
        height, width = image.shape[:2]
        logits = np.zeros((19, height, width), np.float16)
        logits[BY_NAME["l_eye"].id] = image[..., 0] / 255 - 0.25
        logits[BY_NAME["r_eye"].id] = 0.125
        crop = whole_crop(height, width, height)
        return SimpleNamespace(faces=[SimpleNamespace(logits=logits, crop=crop)])


def test_flip_averaging_swaps_the_mirrored_photos_left_and_right() -> None:
    parser = cast(FaceParser, LeftIsBright())
    image = np.zeros((8, 8, 3), np.uint8)
    image[:, :4] = 255
    found = flip_averaged(parser, image)
    # Bright: left says 0.75 and, mirrored back, so does right; the mean ties both at 0.4375, and
    # the first wins. Dark: background 0 beats the mean of -0.25 and 0.125.
    assert (found[:, :4] == BY_NAME["l_eye"].id).all()
    assert (found[:, 4:] == 0).all()
    turned = flip_averaged(parser, np.ascontiguousarray(image[:, ::-1]))
    np.testing.assert_array_equal(turned, found[:, ::-1])
    with pytest.raises(ValueError, match="whole"):
        predictor(parser, "auto", flip=True)


def test_turning_and_scaling_keep_photo_and_mask_together() -> None:
    image = np.zeros((128, 128, 3), np.uint8)
    mask = np.zeros((128, 128), np.uint8)
    image[30:90, 40:100], mask[30:90, 40:100] = 255, 1
    same_image, same_mask = robustness.turned_and_scaled(0, 1)(image, mask)
    np.testing.assert_array_equal(same_image, image)
    np.testing.assert_array_equal(same_mask, mask)
    for degrees, scale in ((30, 1.0), (0, 0.5), (0, 0.35), (45, 0.75)):
        turned, labels = robustness.turned_and_scaled(degrees, scale)(image, mask)
        assert (labels == 1).sum() == pytest.approx(3600 * scale**2, rel=0.06)
        assert ((turned[..., 0] > 127) == (labels == 1)).mean() > 0.995


def test_the_covered_third_is_not_scored() -> None:
    image, mask = face(1)
    covered, labels = robustness.occluded_third(image, mask)
    height = np.flatnonzero((mask > 0).any(1)).size
    assert (labels == IGNORE).any(1).sum() == height // 3
    np.testing.assert_array_equal(covered[labels == IGNORE], 127)
    np.testing.assert_array_equal(covered[labels != IGNORE], image[labels != IGNORE])


def test_robustness_of_a_parser_that_knows_colours(tmp_path: Path) -> None:
    files = find_faces(write_faces(tmp_path / "data", 2, size=96), "bisenet")
    skin = read_face(files[0])[0][40, 48].astype(int)

    def predict(image: Array) -> Array:
        near = np.abs(image.astype(int) - skin).max(-1) < 50
        return np.where(near, BY_NAME["skin"].id, 0).astype(np.uint8)

    rows = robustness.robustness(predict, files)
    by_name = {(r["group"], r["condition"]): r for r in rows}
    assert len(rows) == len(robustness.CONDITIONS) == 13
    assert by_name["rotation", "0°"]["kept"] == by_name["scale", "1"]["kept"] == 1
    assert by_name["light", "low light"]["miou"] < by_name["rotation", "15°"]["miou"]
    robustness.write_report(rows, tmp_path / "out")
    table = (tmp_path / "out" / "robustness.md").read_text()
    assert "| scale | 0.35 |" in table
    assert "plotly" in (tmp_path / "out" / "robustness.html").read_text().lower()


def test_conditions_do_not_change_their_input() -> None:
    image, mask = face(3)
    before = image.copy(), mask.copy()
    for condition in robustness.CONDITIONS:
        changed, labels = condition.change(image, mask)
        assert changed.shape == image.shape
        assert labels.shape == mask.shape
        assert changed.dtype == labels.dtype == np.uint8
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(mask, before[1])


def test_a_bad_photo_is_named(tmp_path: Path) -> None:
    files = find_faces(write_faces(tmp_path, 1), "bisenet")
    Image.new("RGB", (5, 5)).save(files[0].image)
    with pytest.raises(ValueError, match=r"000\.png"):
        evaluate(lambda image: image[..., 0], files)
