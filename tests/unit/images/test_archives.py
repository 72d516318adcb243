from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from PIL import Image

from bisenet.images import archives
from bisenet.images.archives import Archive, ArchiveError, Member
from bisenet.images.decode import EXTENSIONS, MAX_BYTES, load_image
from tests.conftest import CASES


def zip_of(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def zip_with(info: zipfile.ZipInfo, data: bytes, **others: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(info, data)
        for name, other in others.items():
            archive.writestr(f"{name}.jpg", other)
    return out.getvalue()


def reasons(archive: Archive) -> dict[str, str]:
    return {one.name: one.reason for one in archive.refused}


@pytest.fixture(scope="module")
def photo(portrait: Image.Image) -> bytes:
    out = io.BytesIO()
    portrait.resize((64, 64)).save(out, format="JPEG")
    return out.getvalue()


def test_photos_come_out_as_they_went_in(photo: bytes) -> None:
    data = zip_of({"a/one.JPG": photo, "./b//two.jpeg": photo, "a/": b""})
    with Archive.open(data, EXTENSIONS) as archive:
        assert [member.name for member in archive.members] == ["a/one.JPG", "b/two.jpeg"]
        assert archive.refused == ()
        assert {archive.read(member) for member in archive.members} == {photo}
        assert archive.members[0].size == len(photo)


def test_an_open_file_is_read_and_stays_open(photo: bytes) -> None:
    file = io.BytesIO(zip_of({"x.jpg": photo}))
    with Archive.open(file, [".jpg"]) as archive:
        assert load_image(archive.read(archive.members[0])).size == (64, 64)
    assert not file.closed


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../out.jpg", ".."),
        ("a/../../out.jpg", ".."),
        ("/etc/out.jpg", "absolute"),
        ("C:/out.jpg", "absolute"),
        ("c:out.jpg", "absolute"),
        ("a\\..\\out.jpg", ".."),
        ("\\\\host\\share\\out.jpg", "absolute"),
        ("C:\\out.jpg", "absolute"),
        ("a\\notes.txt", "It is a .txt file"),
        ("a\nb.jpg", "control"),
        ("notes.txt", "It is a .txt file"),
        ("no suffix", "without a suffix"),
        ("more.zip", "archive inside an archive"),
        ("more.tar.gz", "archive inside an archive"),
    ],
)
def test_a_bad_entry_is_refused_by_itself(photo: bytes, name: str, why: str) -> None:
    archive = Archive.open(zip_of({name: photo, "good.jpg": photo}), EXTENSIONS)
    assert [member.name for member in archive.members] == ["good.jpg"]
    (refused,) = archive.refused
    assert why in refused.reason
    assert refused.reason.endswith(".")
    assert "\n" not in refused.name
    assert archive.read(archive.members[0]) == photo


@pytest.mark.parametrize(
    ("case", "names"),
    [
        ("backslash.zip", ["faces/0.jpg", "faces/1.jpg"]),
        ("jfif.zip", ["a.jfif", "b.JPE"]),
    ],
)
def test_zips_as_windows_makes_them_are_read(case: str, names: list[str]) -> None:
    archive = Archive.open((CASES / case).read_bytes(), EXTENSIONS)
    assert [member.name for member in archive.members] == names
    assert archive.refused == ()
    assert {load_image(archive.read(m)).size for m in archive.members} == {(256, 256)}


def test_a_folder_that_ends_in_a_backslash_is_no_file(photo: bytes) -> None:
    junk = {"a\\": b"", "__MACOSX\\._x.jpg": b"junk", "a\\.DS_Store": b"junk"}
    archive = Archive.open(zip_of({**junk, "a\\x.jpg": photo}), EXTENSIONS)
    assert [member.name for member in archive.members] == ["a/x.jpg"]
    assert archive.refused == ()


def test_two_spellings_of_a_path_are_one_file(photo: bytes) -> None:
    archive = Archive.open(zip_of({"a/x.jpg": photo, "a\\x.jpg": b"other"}), EXTENSIONS)
    assert [archive.read(member) for member in archive.members] == [photo]
    assert "Another file of this name" in archive.refused[0].reason


def test_what_systems_leave_behind_is_passed_over(photo: bytes) -> None:
    junk = ("__MACOSX/._x.jpg", ".DS_Store", "a/.hidden.jpg", "Thumbs.db", ".git/x.jpg")
    archive = Archive.open(zip_of({**dict.fromkeys(junk, b"junk"), "x.jpg": photo}), EXTENSIONS)
    assert [member.name for member in archive.members] == ["x.jpg"]
    assert archive.refused == ()


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(photo: bytes, kind: int) -> None:
    info = zipfile.ZipInfo("link.jpg")
    info.create_system = 3
    info.external_attr = (kind | 0o777) << 16
    archive = Archive.open(zip_with(info, b"/etc/passwd", good=photo), EXTENSIONS)
    assert list(reasons(archive)) == ["link.jpg"]
    assert [member.name for member in archive.members] == ["good.jpg"]


def test_a_file_with_a_password_is_refused(photo: bytes) -> None:
    data = bytearray(zip_of({"locked.jpg": photo, "good.jpg": photo}))
    # zipfile writes no encrypted files: the flag is set in both of the first entry's headers.
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    archive = Archive.open(bytes(data), EXTENSIONS)
    assert "password" in reasons(archive)["locked.jpg"]
    assert archive.read(archive.members[0]) == photo


def test_bombs_are_refused_by_size_and_by_ratio(photo: bytes) -> None:
    files = {
        "wide.png": bytes(MAX_BYTES + 1),
        "dense.png": bytes(5 << 20),
        "empty.png": b"",
        "good.jpg": photo,
    }
    archive = Archive.open(zip_of(files), EXTENSIONS)
    told = reasons(archive)
    assert "the limit is 50 MB" in told["wide.png"]
    assert "times its size" in told["dense.png"]
    assert "0 bytes" in told["empty.png"]
    assert [member.name for member in archive.members] == ["good.jpg"]


def with_claimed_size(data: bytes, old: int, new: int) -> bytes:
    """A zip whose headers say that its file unpacks to ``new`` bytes."""
    return data.replace(struct.pack("<L", old), struct.pack("<L", new))


@pytest.mark.parametrize("claimed", [1_000, 5_000_000])
def test_a_header_that_lies_is_found_out(claimed: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, 100_003, dtype=np.uint8).tobytes()
    data = with_claimed_size(zip_of({"x.jpg": noise}), len(noise), claimed)
    archive = Archive.open(data, EXTENSIONS)
    assert archive.members == (Member("x.jpg", claimed),)
    with pytest.raises(ArchiveError, match="damaged"):
        archive.read(archive.members[0])


def test_a_damaged_file_is_a_sentence_and_the_next_is_read(photo: bytes) -> None:
    data = bytearray(zip_of({"bad.jpg": photo, "good.jpg": photo}, zipfile.ZIP_STORED))
    data[200] ^= 0xFF
    archive = Archive.open(bytes(data), EXTENSIONS)
    bad, good = archive.members
    with pytest.raises(ArchiveError, match="damaged"):
        archive.read(bad)
    assert archive.read(good) == photo
    with pytest.raises(ArchiveError, match="no such file"):
        archive.read(Member("other.jpg", 1))


def test_two_files_of_one_name(photo: bytes) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("x.jpg", photo)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("x.jpg", b"other")
    opened = Archive.open(out.getvalue(), EXTENSIONS)
    assert opened.read(opened.members[0]) == photo
    assert "this name" in reasons(opened)["x.jpg"]


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda photo: b"", "0 bytes"),
        (lambda photo: photo, "not a zip"),
        (lambda photo: zip_of({"x.jpg": photo})[:-30], "not a zip"),
        (lambda photo: zip_of({}), "empty"),
        (lambda photo: zip_of({"__MACOSX/._x.jpg": photo}), "empty"),
        (lambda photo: zip_of({"a.txt": b"a", "b.txt": b"b"}), "Nothing in the zip can be used"),
    ],
)
def test_a_useless_archive_is_a_sentence(
    photo: bytes, make: Callable[[bytes], bytes], why: str
) -> None:
    with pytest.raises(ArchiveError, match=why) as error:
        Archive.open(make(photo), EXTENSIONS)
    assert str(error.value).endswith(".")


def test_a_useless_archive_names_what_was_refused() -> None:
    with pytest.raises(ArchiveError) as error:
        Archive.open(zip_of({"a.txt": b"a", "../b.jpg": b"b"}), EXTENSIONS)
    assert {one.name for one in error.value.refused} == {"a.txt", "../b.jpg"}


def test_limits_of_the_whole(photo: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    data = zip_of({f"{i}.jpg": photo for i in range(4)})
    monkeypatch.setattr(archives, "MAX_ENTRIES", 3)
    with pytest.raises(ArchiveError, match="too many files; the limit is 3"):
        Archive.open(data, EXTENSIONS)
    monkeypatch.setattr(archives, "MAX_ENTRIES", 4)
    monkeypatch.setattr(archives, "MAX_TOTAL_BYTES", 4 * len(photo) - 1)
    with pytest.raises(ArchiveError, match="unpacks to"):
        Archive.open(data, EXTENSIONS)
    monkeypatch.setattr(archives, "MAX_ARCHIVE_BYTES", len(data) - 1)
    with pytest.raises(ArchiveError, match="the limit is"):
        Archive.open(data, EXTENSIONS)


def test_a_huge_directory_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """By what the end record says, of either kind; zipfile would read all of it into memory."""

    def never(*_: object) -> None:
        raise AssertionError("the directory was read")

    monkeypatch.setattr(zipfile, "ZipFile", never)
    huge = archives.MAX_DIRECTORY_BYTES + 1
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, huge, 0, 0)
    with pytest.raises(ArchiveError, match="too many files"):
        Archive.open(bytes(100) + end, EXTENSIONS)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 0xFFFFFFFF, 0, 0)
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, huge, 0)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, 100, 1)
    with pytest.raises(ArchiveError, match="too many files"):
        Archive.open(bytes(100) + end64 + locator + end, EXTENSIONS)
