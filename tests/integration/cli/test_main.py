from __future__ import annotations

import io
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bisenet.cli.main import build_parser, main
from bisenet.images import samples
from tests.conftest import CASES


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


def test_a_mask_with_255_for_unknown_is_one_that_evaluate_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was not looked at is 0 unless it is asked for, and 255 counts nowhere."""
    scene = Image.new("RGB", (1000, 900), "grey")
    scene.paste(samples.astronaut(), (250, 388))
    (tmp_path / "set" / "images").mkdir(parents=True)
    (tmp_path / "set" / "masks").mkdir()
    photo = tmp_path / "set" / "images" / "a.png"
    scene.save(photo)
    command = ["parse", str(photo), "--out", str(tmp_path / "out")]
    written = tmp_path / "out" / "a" / "mask.png"
    assert main(command) == 0
    plain = np.asarray(Image.open(written))
    assert main([*command, "--unknown", "255"]) == 0
    assert "1 parsed" in capsys.readouterr().out  # with another value it is another result
    unknown = np.asarray(Image.open(written))
    assert plain.max() < 19
    assert 0 < (unknown == 255).mean() < 1
    assert (plain == np.where(unknown == 255, 0, unknown)).all()

    written.rename(tmp_path / "set" / "masks" / "a.png")
    evaluate = ["evaluate", "--data", str(tmp_path / "set"), "--labels", "bisenet", "--json"]
    assert main([*evaluate, "--framing", "auto", "--partial"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["miou"] == 1
    assert sum(row["pixels"] for row in scores["per_class"].values()) == (unknown != 255).sum()
    assert set(scores["looked_at"].values()) == {1}


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


@pytest.fixture
def folder_of_photos(portrait: Image.Image, tmp_path: Path) -> Path:
    """Two photos, one of them further down, a broken one, and files that are none."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    portrait.resize((256, 256)).save(folder / "one.jpg")
    portrait.transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((200, 200)).save(
        folder / "more" / "two.png"
    )
    (folder / "broken.jpg").write_bytes(b"not a photo")
    (folder / "notes.txt").write_text("not a photo")
    (folder / ".hidden.jpg").write_bytes(b"not a photo")
    return folder


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_folder_gives_a_table_and_is_resumed(
    folder_of_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], workers: str
) -> None:
    out, table = tmp_path / "out", tmp_path / "tables" / "regions.parquet"
    command = ["parse", str(folder_of_photos), "--out", str(out), "--table", str(table)]
    command += ["--framing", "whole", "--workers", workers]
    assert main(command) == 1
    captured = capsys.readouterr()
    assert "2 parsed, 1 failed" in captured.out
    assert "broken.jpg: This is not an image" in captured.err
    assert (out / "more" / "two" / "mask.png").is_file()
    first = pd.read_parquet(table)
    assert set(first["photo"]) == {
        str(folder_of_photos / "one.jpg"),
        str(folder_of_photos / "more" / "two.png"),
    }
    assert set(first["face"]) == {1}
    written = {path: path.stat().st_mtime_ns for path in out.rglob("mask.png")}

    # A run that was cut off left no mark: that photo alone is parsed again.
    (out / "one" / "photo.json").unlink()
    (folder_of_photos / "broken.jpg").unlink()
    assert main(command) == 0
    assert "1 parsed, 0 failed, 1 finished before" in capsys.readouterr().out
    again = {path for path in written if path.stat().st_mtime_ns != written[path]}
    assert again == {out / "one" / "mask.png"}
    pd.testing.assert_frame_equal(pd.read_parquet(table), first)

    # Other settings are another result, and so is another photo under the same name.
    assert main([*command[:-4], "--framing", "auto"]) == 0
    assert "2 parsed, 0 failed" in capsys.readouterr().out
    Image.new("RGB", (90, 70), "grey").save(folder_of_photos / "one.jpg")
    assert main([*command[:-4], "--framing", "auto"]) == 0
    assert "1 parsed, 0 failed, 1 finished before" in capsys.readouterr().out
    assert Image.open(out / "one" / "mask.png").size == (90, 70)


def test_a_zip_is_parsed_and_what_is_bad_in_it_is_named(
    portrait: Image.Image, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    buffer = io.BytesIO()
    portrait.resize((128, 128)).save(buffer, format="JPEG")
    archive, table = tmp_path / "faces.zip", tmp_path / "regions.csv"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("a/one.jpg", buffer.getvalue())
        zipped.writestr("../out.jpg", buffer.getvalue())
        zipped.writestr("broken.jpg", b"not a photo")
    out = tmp_path / "out"
    command = ["parse", str(archive), "--out", str(out), "--table", str(table)]
    assert main([*command, "--framing", "whole"]) == 1
    captured = capsys.readouterr()
    assert "1 parsed, 2 failed" in captured.out
    assert "../out.jpg: Its path leads out of the zip" in captured.err
    assert (out / "a" / "one" / "regions.csv").is_file()
    assert not (tmp_path / "out.jpg").exists()
    assert set(pd.read_csv(table)["photo"]) == {f"{archive}/a/one.jpg"}


def test_a_name_too_long_for_the_disk_is_shortened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = ["parse", str(CASES / "long-name.zip"), "--out", str(out), "--framing", "whole"]
    assert main(command) == 0
    assert "3 parsed, 0 failed" in capsys.readouterr().out
    folders = sorted(path.parent.name for path in out.rglob("mask.png"))
    assert folders[:2] == ["a", "b"]
    assert folders[2].startswith("集合写真")
    assert len(folders[2].encode()) == 198 + 9
    assert main(command) == 0
    assert "0 parsed, 0 failed, 3 finished before" in capsys.readouterr().out


def test_a_file_in_the_way_fails_its_photo_alone_and_results_are_not_parsed_again(
    portrait: Image.Image, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = tmp_path / "photos"
    (photos / "d").mkdir(parents=True)
    for name in ("a.jpg", "b.jpg", "c.jpg", "d/e.jpg"):
        portrait.resize((64, 64)).save(photos / name)
    out = photos / "results"
    (out / "c" / "mask.png").mkdir(parents=True)
    (out / "b").write_text("a file")
    (out / "d").write_text("a file")
    command = ["parse", str(photos), "--out", str(out), "--framing", "whole"]
    assert main(command) == 1
    captured = capsys.readouterr()
    assert "1 parsed, 3 failed" in captured.out
    for name, why in (("b.jpg", "a file stands"), ("d/e.jpg", "a file stands"), ("c.jpg", "Is a")):
        assert f"{photos / name}: Its results cannot be written to {out}" in captured.err
        assert why in captured.err
    (out / "b").unlink()
    (out / "d").unlink()
    (out / "c" / "mask.png").rmdir()
    assert main(command) == 0
    assert "3 parsed, 0 failed, 1 finished before" in capsys.readouterr().out
    assert main(command) == 0
    captured = capsys.readouterr()
    assert "0 parsed, 0 failed, 4 finished before" in captured.out
    assert f"{photos}: 16 files of earlier results are skipped." in captured.err
    # Among the photos themselves.
    command[3] = str(photos)
    assert main(command) == 0
    assert main(command) == 0
    assert "0 parsed, 0 failed, 4 finished before" in capsys.readouterr().out


def test_what_cannot_be_parsed_at_all_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    out = ["--out", str(tmp_path / "out")]
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        assert main(["parse", str(tmp_path / "empty"), "--out", str(place)]) == 2
        assert "cannot be a folder: a file has that name." in capsys.readouterr().err
    assert main(["parse", str(tmp_path / "empty"), *out]) == 2
    assert "There are no photos in" in capsys.readouterr().err
    assert main(["parse", "x.jpg", *out, "--table", "regions.xlsx"]) == 2
    assert "a table ends in .csv or .parquet" in capsys.readouterr().err
    assert main(["parse", "x.jpg", *out, "--workers", "0"]) == 2
    assert "--workers must be at least 1" in capsys.readouterr().err
    assert main(["parse", str(tmp_path / "gone.zip"), *out]) == 1
    assert "gone.zip: It cannot be opened" in capsys.readouterr().err


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


@pytest.mark.parametrize("command", ["train", "train-finder", "label"])
def test_a_command_that_the_image_leaves_out_says_so(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in [name for name in sys.modules if name.startswith("bisenet.training")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "bisenet.training", None)
    assert main([command, "--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert f"{command} needs bisenet.training" in capsys.readouterr().err
