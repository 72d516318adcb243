"""Labels made by a real network, small: the command end to end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bisenet.classes import BY_NAME, label_lut, order_lut
from bisenet.cli.main import main


@pytest.fixture
def photos(tmp_path: Path, portrait: Image.Image) -> Path:
    """One real face, and one picture without any."""
    folder = tmp_path / "photos"
    folder.mkdir()
    portrait.resize((192, 192)).save(folder / "face.png")
    Image.new("RGB", (192, 192), (90, 120, 90)).save(folder / "grass.png")
    return folder


def test_orders_have_inverses() -> None:
    for order in ("celebamask-hq", "bisenet"):
        there, back = label_lut(order), order_lut(order)
        assert back[there[:19]].tolist() == list(range(19))
        assert back[[252, 254, 255]].tolist() == [252, 254, 255]


def test_a_face_is_labelled_and_a_meadow_left_out(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.set_num_threads(1)
    out = tmp_path / "out"
    words = ["label", "--data", str(photos), "--out", str(out), "--sizes", "192"]
    assert main(words) == 0
    assert "1 of 2 photos labelled, 1 left out" in capsys.readouterr().out
    assert [p.name for p in (out / "masks").iterdir()] == ["face.png"]
    assert [p.name for p in (out / "images").iterdir()] == ["face.png"]
    mask = np.asarray(Image.open(out / "masks" / "face.png"))
    nose = label_lut("celebamask-hq").tolist().index(BY_NAME["nose"].id)
    assert (mask == nose).mean() > 0.005
    report = json.loads((out / "labels.json").read_text())
    assert report["labelled"] == 1
    assert report["unknown pixels"] == pytest.approx((mask == 255).mean(), abs=1e-4)
    assert main(words) == 2
    assert "is not empty" in capsys.readouterr().err


def test_what_is_known_overrules_the_network(photos: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    data = tmp_path / "data"
    (data / "images").mkdir(parents=True)
    (data / "masks").mkdir()
    (photos / "face.png").rename(data / "images" / "face.png")
    truth = np.full((192, 192), 254, np.uint8)
    truth[:20] = label_lut("celebamask-hq").tolist().index(BY_NAME["hair"].id)
    Image.fromarray(truth).save(data / "masks" / "face.png")
    out = tmp_path / "out"
    words = ["label", "--data", str(data), "--out", str(out), "--sizes", "192", "--no-mirror"]
    assert main(words) == 0
    mask = np.asarray(Image.open(out / "masks" / "face.png"))
    assert (mask[:20] == truth[0, 0]).all()
    assert not (mask[20:] == truth[0, 0]).any()
    assert (mask[20:] < 19).any()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--sizes", "100"], "multiples of 32"),
        (["--confidence", "1"], "less than 1"),
        (["--weights", "nothing"], "no weights 'nothing'"),
    ],
)
def test_wrong_words_get_a_sentence(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    assert main(["label", "--data", str(photos), "--out", str(tmp_path / "o"), *words]) == 2
    assert says in capsys.readouterr().err


def test_sizes_are_a_list_of_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["label", "--data", "x", "--out", "y", "--sizes", "many"])
    assert "'many' is not a list such as 256,512" in capsys.readouterr().err
