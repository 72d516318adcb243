from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bisenet.cli import build_parser, main


def test_parse_writes_mask_overlay_and_measurements(
    portrait: Image.Image, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = tmp_path / "face.png"
    portrait.save(photo)
    out = tmp_path / "out"
    assert main(["parse", str(photo), "--out", str(out), "--framing", "whole"]) == 0
    mask = np.asarray(Image.open(out / "face" / "mask.png"))
    assert mask.shape == (portrait.height, portrait.width)
    assert Image.open(out / "face" / "overlay.png").size == portrait.size
    regions = pd.read_csv(out / "face" / "regions.csv")
    assert regions["area_px"].sum() == mask.size
    assert "1 parsed, 0 failed" in capsys.readouterr().out


def test_a_bad_photo_is_named_and_the_rest_go_on(
    portrait: Image.Image, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = tmp_path / "good.png", tmp_path / "bad.jpg"
    portrait.resize((64, 64)).save(good)
    bad.write_bytes(b"not a photo")
    out = tmp_path / "out"
    assert main(["parse", str(bad), str(good), "--out", str(out)]) == 1
    captured = capsys.readouterr()
    assert "bad.jpg: This is not an image" in captured.err
    assert "1 parsed, 1 failed" in captured.out
    assert (out / "good" / "mask.png").is_file()


def test_photos_of_the_same_name_do_not_overwrite_each_other(
    portrait: Image.Image, tmp_path: Path
) -> None:
    photos = []
    for folder, side in (("a", 48), ("b", 64)):
        (tmp_path / folder).mkdir()
        photos.append(tmp_path / folder / "x.png")
        portrait.resize((side, side)).save(photos[-1])
    main(["parse", *map(str, photos), "--out", str(tmp_path / "out")])
    sizes = [Image.open(p).width for p in sorted((tmp_path / "out").rglob("mask.png"))]
    assert sorted(sizes) == [48, 64]


def test_weights_are_listed_and_a_bad_file_is_refused_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["weights", "list"]) == 0
    assert "(default)" in capsys.readouterr().out
    broken = tmp_path / "broken.pth"
    broken.write_bytes(b"nothing")
    assert main(["weights", "add", str(broken)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: broken.pth")
    assert "Traceback" not in error


def test_unknown_weights_and_engines_are_sentences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["parse", "x.jpg", "--out", str(tmp_path), "--weights", "nonsense"]) == 2
    assert "There are no weights 'nonsense'" in capsys.readouterr().err
    assert main(["parse", "x.jpg", "--out", str(tmp_path), "--engine", "steam"]) == 2
    assert "steam" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["parse", "evaluate", "train", "weights"])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        build_parser().parse_args([command, "--help"])
    assert stopped.value.code == 0
    assert "usage:" in capsys.readouterr().out
