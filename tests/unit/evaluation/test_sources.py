from __future__ import annotations

import io
import zipfile

import pytest

from bisenet.data.pairing import pair_up
from bisenet.evaluation import sources
from bisenet.evaluation.sources import Files
from bisenet.images.archives import ArchiveError


def zipped(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def reasons(files: Files) -> list[str]:
    return [problem.reason for problem in files.problems]


def test_loose_files_are_read_as_they_are() -> None:
    files = Files([("a.jpg", b"photo"), ("a.png", b"mask")])
    assert files.names == ("a.jpg", "a.png")
    assert (files.read("a.jpg"), files.read("a.png")) == (b"photo", b"mask")
    assert files.nbytes == 9
    assert files.problems == []


def test_one_zip_is_its_contents() -> None:
    files = Files([("set.zip", zipped(**{"images/a.jpg": b"photo", "masks/a.png": b"mask"}))])
    assert files.names == ("images/a.jpg", "masks/a.png")
    assert files.read("masks/a.png") == b"mask"


def test_two_zips_named_images_and_masks_pair_up() -> None:
    files = Files(
        [("images.zip", zipped(**{"a.png": b"1"})), ("masks.zip", zipped(**{"a.png": b"2"}))]
    )
    (pair,) = pair_up(files.names).pairs
    assert (files.read(pair.photo), files.read(pair.mask)) == (b"1", b"2")


def test_what_a_zip_refuses_is_listed_and_the_rest_goes_on() -> None:
    data = zipped(**{"images/a.jpg": b"1", "../out.jpg": b"2", "inner.zip": b"3", "n.txt": b"4"})
    files = Files([("set.zip", data)])
    assert files.names == ("images/a.jpg",)
    assert {p.name for p in files.problems} == {
        f"set.zip: {name}" for name in ("../out.jpg", "inner.zip", "n.txt")
    }


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"these are notes", "not a zip"),
        (b"", "empty"),
        (zipped(), "empty"),
        (zipped(**{"notes.txt": b"1"}), "Nothing in the zip can be used"),
    ],
)
def test_a_bad_zip_is_a_sentence(data: bytes, says: str) -> None:
    files = Files([("set.zip", data)])
    assert files.names == ()
    assert says in reasons(files)[0]


def test_limits_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_TOTAL_BYTES", 2 << 20)
    assert "the limit is 2 MB" in reasons(Files([("a.jpg", bytes(3 << 20))]))[0]
    monkeypatch.setattr(sources, "MAX_BYTES", 1 << 20)
    files = Files([("a.jpg", bytes(3 << 19)), ("b.jpg", b""), ("c.jpg", b"1")])
    assert files.names == ("c.jpg",)
    assert ["limit is 1 MB" in reasons(files)[0], "empty" in reasons(files)[1]] == [True, True]
    monkeypatch.setattr(sources, "MAX_FILES", 1)
    files = Files([("a.jpg", b"1"), ("b.jpg", b"2")])
    assert files.names == ()
    assert "the limit is 1." in reasons(files)[0]


def test_a_name_that_comes_twice_is_said() -> None:
    files = Files([("0.png", b"photo"), ("0.png", b"mask")])
    assert files.read("0.png") == b"photo"
    assert "Bring a folder or a zip" in reasons(files)[0]


def test_a_file_that_is_damaged_in_its_zip_is_an_error_when_read() -> None:
    data = bytearray(zipped(**{"a.jpg": b"A" * 100}))
    at = data.index(b"A" * 100)
    data[at : at + 4] = b"BBBB"
    files = Files([("set.zip", bytes(data))])
    with pytest.raises(ArchiveError, match="damaged"):
        files.read("a.jpg")
