"""Data as it lies on disk: CelebAMask-HQ's release, and what the published repositories make."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bisenet.classes import BY_NAME, CLASSES, LABEL_ORDERS
from bisenet.cli.main import main
from bisenet.data.label_mapping import of_order
from bisenet.data.pairing import Pair, pair_up
from bisenet.evaluation import folder, report
from bisenet.evaluation.fitting import at_size, labels_at
from bisenet.evaluation.runner import EvaluatedNetwork, Outcome, evaluate
from bisenet.evaluation.sources import Files
from bisenet.evaluation.survey import survey
from bisenet.images.decode import Photo, read_photo
from bisenet.network.bisenet import BiSeNet
from bisenet.postprocess.results import Parsing
from bisenet.training.checkpoint import export_weights
from tests.unit.training.helpers import write_faces

SIDE = 64
T = TypeVar("T")
Write = Callable[[Path, int, NDArray[np.uint8]], None]


def labels(seed: int) -> NDArray[np.uint8]:
    """A mask ``(64, 64)`` of all classes, in patches."""
    small = np.random.default_rng(seed).permutation(64).reshape(8, 8) % len(CLASSES)
    return np.kron(small, np.ones((8, 8))).astype(np.uint8)


def save(path: Path, pixels: NDArray[np.uint8], **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)  # type: ignore[arg-type]


def picture(mask: NDArray[np.uint8], times: int) -> NDArray[np.uint8]:
    """A photo, ``times`` as large as its mask, from whose red a reader can tell the labels."""
    return np.repeat(np.kron(mask, np.ones((times, times), np.uint8))[..., None], 3, axis=2)


def read(pixels: NDArray[np.uint8]) -> Parsing:
    mask = pixels[..., 0].copy()
    return Parsing(
        pixels, mask, np.ones(mask.shape, np.float32), (), instance_ids=np.ones_like(mask)
    )


NETWORK = EvaluatedNetwork("a", "b")


def on_disk(root: Path, pairs: Sequence[Pair], order: str) -> Outcome:
    return folder.evaluate(root, pairs, of_order(order), NETWORK, lambda _: read_file, "whole")


def read_file(photo: bytes, then: Callable[[Photo, Parsing], T], /) -> T:
    decoded = read_photo(photo)
    return then(decoded, read(decoded.pixels))


def in_celeba_order(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    order = LABEL_ORDERS["celebamask-hq"]
    lut = np.zeros(len(CLASSES), np.uint8)
    lut[[BY_NAME[name].id for name in order]] = np.arange(len(order))
    return lut[mask]


def release(root: Path, i: int, mask: NDArray[np.uint8]) -> None:
    save(root / "CelebA-HQ-img" / f"{i}.png", picture(mask, 2))
    for c in CLASSES[1:]:
        shown = np.repeat(((mask == c.id) * 255).astype(np.uint8)[..., None], 3, axis=2)
        save(root / "CelebAMask-HQ-mask-anno" / "0" / f"{i:05d}_{c.name}.png", shown)


def repositories(root: Path, i: int, mask: NDArray[np.uint8]) -> None:
    save(root / "CelebA-HQ-img" / f"{i}.png", picture(mask, 2))
    save(root / "mask" / f"{i}.png", mask)


def of_numbers(root: Path, i: int, mask: NDArray[np.uint8]) -> None:
    save(root / "images" / f"{i}.png", picture(mask, 1))
    save(root / "masks" / f"{i:05d}.png", np.repeat(in_celeba_order(mask)[..., None], 3, axis=2))


def of_capitals(root: Path, i: int, mask: NDArray[np.uint8]) -> None:
    save(root / "images" / f"A{i}.PNG", picture(mask, 1))
    save(root / "masks" / f"a{i}.png", in_celeba_order(mask))


@pytest.mark.parametrize(
    ("write", "order"),
    [
        (release, "celebamask-hq"),
        (repositories, "bisenet"),
        (of_numbers, "celebamask-hq"),
        (of_capitals, "celebamask-hq"),
    ],
)
def test_a_layout_is_scored_alike_on_the_disk_and_in_the_page(
    tmp_path: Path, write: Write, order: str
) -> None:
    for i in range(3):
        write(tmp_path, i, labels(i))
    pairing = folder.find_pairs(tmp_path)
    assert pairing.problems == ()
    wanted, _ = on_disk(tmp_path, pairing.pairs, order).pooled(0)
    assert (wanted.images, wanted.miou) == (3, 1.0)
    assert wanted.mean_f1 == wanted.mean_boundary_f1 == 1.0
    assert wanted.confusion.sum() == 3 * SIDE**2, "at the masks' size"
    assert "mIoU 1.0000" in report.text_table(wanted)

    paths = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    files = Files([(path.relative_to(tmp_path).as_posix(), path.read_bytes()) for path in paths])
    checked = survey(pair_up(files.names).pairs, files.read).checked
    network = (NETWORK, lambda _: read_file)
    page = evaluate(checked, files.read, of_order(order), [network], "whole")
    scores, _ = page.pooled(0)
    np.testing.assert_array_equal(scores.confusion, wanted.confusion)
    assert {photo.face_height for photo in page.photos} == {page.photos[0].face_height}
    assert page.photos[0].width == np.asarray(Image.open(paths[0])).shape[1]


def test_what_takes_no_part_is_named_and_the_rest_is_scored(tmp_path: Path) -> None:
    for i in range(4):
        repositories(tmp_path, i, labels(i))
    (tmp_path / "mask" / "0.png").write_bytes(b"no mask")
    (tmp_path / "CelebA-HQ-img" / "1.png").write_bytes(b"no photo")
    save(tmp_path / "mask" / "2.png", labels(2)[:32])
    pairs = folder.find_pairs(tmp_path).pairs
    result = on_disk(tmp_path, pairs, "bisenet")
    assert [photo.pair.photo for photo in result.photos] == ["CelebA-HQ-img/3.png"]
    assert [problem.name for problem in result.problems] == [
        "mask/0.png",
        "CelebA-HQ-img/1.png",
        "CelebA-HQ-img/2.png",
    ]
    save(tmp_path / "mask" / "3.png", labels(3) + 19)
    with pytest.raises(ValueError, match=r"None of the pairs.*mask/0\.png"):
        on_disk(tmp_path, pairs, "bisenet")
    with pytest.raises(ValueError, match="Ids 19, 20, 21"):
        on_disk(tmp_path, pairs[3:], "bisenet")
    with pytest.raises(ValueError, match="is no folder"):
        folder.find_pairs(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="Expected images/ and masks/"):
        folder.find_pairs(tmp_path / "mask")


def test_larger_labels_vote_and_smaller_ones_spread() -> None:
    big = np.array([[1, 1, 2, 2], [1, 3, 2, 2], [5, 5, 7, 8], [6, 6, 9, 9]], np.uint8)
    sure = np.full((4, 4), 0.5, np.float32)
    sure[2, 0] = sure[2, 1] = 0.25
    sure[3] = 0.75
    mask, confidence = labels_at(big, sure, (2, 2))
    np.testing.assert_array_equal(mask, [[1, 2], [6, 9]])
    np.testing.assert_allclose(confidence, [[0.5, 0.5], [0.75, 0.75]])
    np.testing.assert_array_equal(labels_at(mask, confidence, (4, 4))[0][::3, ::3], mask)
    np.testing.assert_array_equal(labels_at(big, np.zeros_like(sure), (1, 1))[0], [[2]])


def test_a_strip_more_or_less_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    big = np.random.default_rng(0).integers(0, 19, (201, 301)).astype(np.uint8)
    whole = labels_at(big, np.ones(big.shape, np.float32), (67, 100))
    monkeypatch.setattr("bisenet.evaluation.fitting._STRIP_CELLS", 150)
    for one, other in zip(
        whole, labels_at(big, np.ones(big.shape, np.float32), (67, 100)), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    parsing = read(np.repeat(big[..., None], 3, axis=2))
    assert at_size(parsing, (67, 100))[2].all()
    with pytest.raises(ValueError, match="prediction"):
        at_size(parsing, (100, 67))


def test_the_command_scores_a_release(
    portrait: Image.Image, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mask = np.zeros((256, 256), np.uint8)
    mask[:128], mask[128:] = BY_NAME["hair"].id, BY_NAME["skin"].id
    release(tmp_path, 0, mask)
    portrait.resize((512, 512)).save(tmp_path / "CelebA-HQ-img" / "0.png")
    command = ["evaluate", "--data", str(tmp_path), "--json"]
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["images"], found["not_scored"]) == (1, {})
    assert found["per_class"]["hair"]["pixels"] == 256 * 128
    assert list(found["worst"]) == ["0.png"]
    save(tmp_path / "CelebA-HQ-img" / "7.png", picture(mask, 1))
    assert main([*command, "--flip"]) == 1
    captured = capsys.readouterr()
    assert "CelebA-HQ-img/7.png: No mask has its name." in captured.err
    flipped = json.loads(captured.out)
    assert flipped["not_scored"] == {"CelebA-HQ-img/7.png": "No mask has its name."}
    assert (flipped["flip"], flipped["faces_found"]) == (True, {"1": 1})
    assert main([*command, "--flip", "--framing", "auto"]) == 2
    assert "use it with --framing whole" in capsys.readouterr().err


def test_the_command_scores_so_many_faces_and_writes_what_it_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_faces(tmp_path / "data", 3)
    export_weights(tmp_path / "random.safetensors", BiSeNet().state_dict())
    words = ["--data", str(tmp_path / "data"), "--labels", "bisenet", "--framing", "whole"]
    words += ["--weights", str(tmp_path / "random.safetensors"), "--engine", "torch"]
    words += ["--limit", "2", "--json", "--out", str(tmp_path / "out")]
    assert main(["evaluate", *words]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["images"] == 2
    assert 0 <= found["miou"] <= 1
    assert 0 <= found["mean_f1"] <= 1
    assert list(found["per_class"])[:2] == ["background", "skin"]
    assert {"iou", "f1", "pixels"} <= set(found["per_class"]["hair"])
    assert json.loads((tmp_path / "out" / "scores.json").read_text())["miou"] == found["miou"]


def test_a_turned_photo_is_scored_as_it_is_shown(tmp_path: Path) -> None:
    mask = labels(0)[:, :40]
    photo = Image.fromarray(np.rot90(picture(mask, 1)))
    exif = photo.getexif()
    exif[0x0112] = 6  # shown a quarter further clockwise than stored
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    photo.save(tmp_path / "images" / "a.png", exif=exif)
    Image.fromarray(mask).save(tmp_path / "masks" / "a.png")
    pairs = folder.find_pairs(tmp_path).pairs
    assert on_disk(tmp_path, pairs, "bisenet").pooled(0)[0].miou == 1.0
