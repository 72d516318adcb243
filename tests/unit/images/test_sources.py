from __future__ import annotations

import io
import json
import os
import sys
import zipfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from bisenet.batch.downloads import masks_zip
from bisenet.images import sources
from bisenet.images.decode import MAX_BYTES, ImageError
from bisenet.images.folder_tree import MARK, UNFINISHED, look_below
from bisenet.images.sources import fitting, from_files, from_paths


def zipped(**files: bytes) -> io.BytesIO:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(f"{name}.jpg", data)
    return out


def test_uploads_of_every_kind_get_names_of_their_own() -> None:
    files = [
        ("x.jpg", io.BytesIO(b"one")),
        ("set.zip", zipped(x=b"two", y=b"three")),
        ("folder/x.jpg", io.BytesIO(b"four")),
    ]
    found = from_files(files)
    assert {source.name: source.read() for source in found.sources} == {
        "x.jpg": b"one",
        "x (2).jpg": b"two",
        "y.jpg": b"three",
        "x (3).jpg": b"four",
    }
    assert found.refused == ()
    assert found.sources[0].read() == b"one", "it can be read again"


def test_a_bad_zip_is_refused_and_the_rest_goes_on() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("notes.txt", b"text")
        archive.writestr("../z.jpg", b"out")
    files = [
        ("no.zip", io.BytesIO(b"not a zip")),
        ("empty.zip", zipped()),
        ("useless.zip", out),
        ("good.jpg", io.BytesIO(b"good")),
    ]
    found = from_files(files)
    assert [source.name for source in found.sources] == ["good.jpg"]
    told = {one.name: one.reason for one in found.refused}
    assert "not a zip" in told["no.zip"]
    assert "empty" in told["empty.zip"]
    assert "Nothing in the zip can be used" in told["useless.zip"]
    assert "leads out of the zip" in told["useless.zip: ../z.jpg"]
    assert "useless.zip: notes.txt" in told


def test_what_is_over_the_limits_is_refused_by_name() -> None:
    files = [(f"{i}.jpg", io.BytesIO(bytes(10))) for i in range(5)]
    found = from_files(files, max_photos=2)
    assert [source.name for source in found.sources] == ["0.jpg", "1.jpg"]
    assert [one.name for one in found.refused] == ["2.jpg", "3.jpg", "4.jpg"]
    assert "More than 2 photos" in found.refused[0].reason
    found = from_files(files, max_bytes=30)
    assert [one.name for one in found.refused] == ["3.jpg", "4.jpg"]


def test_an_upload_is_read_no_further_than_its_refusal_needs() -> None:
    (source,) = from_files([("wide.bmp", io.BytesIO(bytes(MAX_BYTES + 1000)))]).sources
    assert len(source.read()) == MAX_BYTES + 1


def test_paths_are_photos_folders_and_zips(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    (folder / "b").mkdir(parents=True)
    (folder / "b" / "two.JPG").write_bytes(b"two")
    (folder / "one.png").write_bytes(b"one")
    (folder / "notes.txt").write_bytes(b"text")
    (folder / ".git").mkdir()
    (folder / ".git" / "x.jpg").write_bytes(b"hidden")
    archive = tmp_path / "set.zip"
    archive.write_bytes(zipped(three=b"three").getvalue())
    single = folder / "one.png"
    with ExitStack() as stack:
        found = from_paths([folder, archive, single, tmp_path / "gone.jpg"], stack)
        assert [(source.place, source.name) for source in found.sources] == [
            ("b/two.JPG", str(folder / "b" / "two.JPG")),
            ("one.png", str(single)),
            ("three.jpg", f"{archive}/three.jpg"),
            ("gone.jpg", str(tmp_path / "gone.jpg")),
        ]
        assert [source.read() for source in found.sources[:3]] == [b"two", b"one", b"three"]
        assert found.refused == ()
        assert [(one.name, one.reason) for one in found.skipped] == [
            (str(folder), "1 file is no photo and is skipped: notes.txt.")
        ]
        with pytest.raises(ImageError, match="cannot be opened"):
            found.sources[3].read()


def test_a_file_on_the_disk_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wide.jpg").write_bytes(bytes(2_000))
    monkeypatch.setattr(sources, "MAX_BYTES", 1_000)
    with ExitStack() as stack:
        (source,) = from_paths([tmp_path], stack).sources
        with pytest.raises(ImageError, match="the limit is"):
            source.read()


def test_a_folder_says_what_it_skips_and_what_it_cannot_open(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("a.JFIF", "b.jpe", "c.mpo", "d.avif", "deep/e.jpg"):
        (tmp_path / name).write_bytes(b"photo")
    for name in ("1.txt", "2.csv", "deep/3.mp4", "4", "more.zip", ".DS_Store", "Thumbs.db"):
        (tmp_path / name).write_bytes(b"other")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "again").symlink_to(tmp_path / "deep", target_is_directory=True)
    tree = look_below(tmp_path)
    assert [path.name for path in tree.photos] == ["a.JFIF", "b.jpe", "c.mpo", "d.avif", "e.jpg"]
    assert [one.reason for one in tree.skipped] == [
        "5 files are no photos and are skipped: 1.txt, 2.csv, 4 and 2 more.",
        "1 zip is not opened; name it by itself: more.zip.",
        "1 link to a folder is not followed: again.",
    ]
    gone = look_below(tmp_path / "nowhere").unreadable
    assert [one.reason for one in gone] == [
        "This folder cannot be opened: No such file or directory."
    ]


def test_results_below_a_folder_of_photos_are_no_photos(tmp_path: Path) -> None:
    mark = dict.fromkeys(("version", "photo", "sha256", "rows", "regions", "notices"), 1)
    files = {
        "a.jpg": b"photo",
        "out/a/mask.png": b"result",
        "out/a/overlay.png": b"result",
        f"out/a/{MARK}": json.dumps(mark).encode(),
        "out/a/of-a-person.png": b"photo",
        "out/b/mask.png": b"half of a result",
        f"out/b/{UNFINISHED}": b"",
        # A mark that is not ours, and pictures that only have the names of results.
        "set/mask.png": b"photo",
        f"set/{MARK}": b'{"photo": "somebody else\'s"}',
    }
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    tree = look_below(tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in tree.photos] == [
        "a.jpg",
        "out/a/of-a-person.png",
        "set/mask.png",
    ]
    assert [one.reason for one in tree.skipped] == [
        f"1 file is no photo and is skipped: set/{MARK}.",
        "4 files of earlier results are skipped.",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="file names of any bytes")
def test_a_name_that_is_no_utf_8_is_text_that_can_be_saved(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/M\xfcller.jpg"
    Path(os.fsdecode(raw)).write_bytes(b"photo")
    with ExitStack() as stack:
        (source,) = from_paths([tmp_path], stack).sources
    assert source.place == "M\\xfcller.jpg"
    assert source.name.encode().endswith(b"/M\\xfcller.jpg")
    assert source.read() == b"photo"


def test_a_long_name_is_cut_to_what_file_systems_take(tmp_path: Path) -> None:
    long, other = "集合写真" * 23, "集合写真" * 22 + "集合写"
    for name in (long, other):
        assert len(fitting(name).encode()) <= 240
        (tmp_path / fitting(name)).mkdir()
    assert fitting("a" * 240) == "a" * 240
    masks = masks_zip([(f"{long}/{long}.jpg", b"mask")])
    (saved,) = zipfile.ZipFile(io.BytesIO(masks)).namelist()
    assert saved == f"{fitting(long)}/{fitting(long)}.png"
