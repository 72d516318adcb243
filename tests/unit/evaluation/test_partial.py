"""Scores where the truth is known in part."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bisenet.classes import BY_NAME
from bisenet.cli.main import main
from bisenet.data.label_mapping import of_order
from bisenet.data.pairing import pair_up
from bisenet.evaluation import folder, report
from bisenet.evaluation.metrics import Scores, partly_wrong
from bisenet.evaluation.runner import EvaluatedNetwork, Outcome
from bisenet.parse_queue import unqueued
from bisenet.postprocess.results import Parsing

HAIR, SKIN, HAT, CLOTH = (BY_NAME[n].id for n in ("hair", "skin", "hat", "cloth"))


def test_a_pixel_counts_for_the_classes_that_it_decides_about() -> None:
    truth = np.array([[HAIR, HAIR, 254, 254, 252, 252, 255, 255]], np.uint8)
    found = np.array([[HAIR, SKIN, HAIR, SKIN, HAIR, SKIN, HAIR, HAT]], np.uint8)
    wrong = partly_wrong(truth, found)
    assert np.flatnonzero(wrong).tolist() == [HAIR]
    assert wrong[HAIR] == 2  # of 254 and of 252; nothing is known where 255 stands
    scores = Scores(with_boundary=False, partial=True)
    miou = scores.add(truth, found)
    iou, f1 = scores.iou_and_f1()
    # One right, one missed, two claimed in vain.
    assert iou[HAIR] == pytest.approx(1 / 4)
    assert f1[HAIR] == pytest.approx(2 / 5)
    # Skin was predicted, but no pixel is known to be skin: it has no score.
    assert np.isnan(iou[SKIN])
    assert miou == scores.miou == pytest.approx(1 / 4)
    assert scores.as_dict()["miou"] == pytest.approx(1 / 4)
    assert scores.mean_f1 == pytest.approx(2 / 5)


def test_full_labels_score_the_same_either_way() -> None:
    rng = np.random.default_rng(0)
    truth, found = rng.integers(0, 19, (2, 32, 32)).astype(np.uint8)
    plain, partial = Scores(), Scores(partial=True)
    assert plain.add(truth, found) == pytest.approx(partial.add(truth, found))
    assert plain.miou == pytest.approx(partial.miou)


def test_orders_keep_partial_values_only_when_asked() -> None:
    counts = np.zeros(256, np.int64)
    counts[[3, 252, 254, 255]] = 1
    assert of_order("celebamask-hq").unknown(counts) == "Ids 252, 254, 255 are no class here."
    partial = of_order("celebamask-hq", partial=True)
    assert partial.unknown(counts) == ""
    assert partial.lut[[252, 254, 255]].tolist() == [252, 254, 255]


def test_the_true_faces_box_reaches_from_brow_to_chin() -> None:
    mask = np.zeros((100, 80), np.uint8)
    mask[10:70, 20:60] = SKIN
    mask[30:33, 25:35] = BY_NAME["r_brow"].id
    mask[2:12, 20:60] = HAIR
    mask[80:90, 0:10] = SKIN  # a hand
    assert folder.true_box(mask, 80, 100) == (20, 30, 60, 70)
    assert folder.true_box(mask, 160, 200) == (40, 60, 120, 140)
    assert folder.true_box(np.full((9, 9), HAIR, np.uint8), 9, 9) is None


def write(root: Path, name: str, truth: NDArray[np.uint8]) -> Path:
    for part in ("images", "masks"):
        (root / part).mkdir(parents=True, exist_ok=True)
    photo = root / "images" / f"{name}.png"
    Image.fromarray(np.repeat(truth[..., None], 3, axis=2)).save(photo)
    Image.fromarray(truth).save(root / "masks" / f"{name}.png")
    return photo


def test_a_folder_says_how_much_lay_inside_the_crops(tmp_path: Path) -> None:
    truth = np.full((64, 64), 254, np.uint8)
    truth[:32] = HAIR
    write(tmp_path, "a", truth)

    def half(pixels: NDArray[np.uint8]) -> Parsing:
        mask = np.zeros((64, 64), np.uint8)
        mask[:16] = HAIR
        owner = np.zeros((64, 64), np.uint8)
        owner[:16] = 1
        return Parsing(pixels, mask, np.ones((64, 64), np.float32), (), instance_ids=owner)

    pairs = pair_up(["images/a.png", "masks/a.png"]).pairs

    def evaluate(partial: bool) -> Outcome:
        labelling = of_order("bisenet", partial)
        network = EvaluatedNetwork("half", "")
        return folder.evaluate(
            tmp_path, pairs, labelling, network, lambda _: unqueued(half), "auto"
        )

    with pytest.raises(ValueError, match="Id 254 is no class here"):
        evaluate(partial=False)
    result = evaluate(partial=True)
    scores, _ = result.pooled(0)
    assert scores.iou_and_f1()[0][HAIR] == pytest.approx(0.5)
    assert scores.miou == result.photos[0].scores[0].miou
    assert report.share_inside_crops(result) == {"hair": 0.5}
    assert report.faces_found(result) == {"0": 1}
    assert not scores.with_boundary


def test_the_command_scores_held_out_photos_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], portrait: Image.Image
) -> None:
    data = tmp_path / "data"
    (data / "images").mkdir(parents=True)
    (data / "masks").mkdir()
    for i in range(2):
        portrait.resize((128 + 32 * i,) * 2).save(data / "images" / f"{i}.png")
        truth = np.full((128 + 32 * i,) * 2, 254, np.uint8)
        truth[:30] = 13
        Image.fromarray(truth).save(data / "masks" / f"{i}.png")
    listed = tmp_path / "held-out.txt"
    digest = hashlib.sha256((data / "images" / "1.png").read_bytes()).hexdigest()
    listed.write_text(f"# one\n{digest}\n")
    words = ["evaluate", "--data", str(data), "--partial", "--only", str(listed), "--json"]
    assert main([*words, "--framing", "truth"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["images"] == 1
    assert found["partial"]
    assert found["per_class"]["hair"]["iou"] > 0.05
    assert found["per_class"]["skin"]["iou"] is None
    listed.write_text("0" * 64)
    assert main(words) == 2
    assert "None of the photos" in capsys.readouterr().err
