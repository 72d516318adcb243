"""Whole photos: hair and clothes go on beyond the fine crop, and what nobody looked at is said."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from bisenet.batch.items import keep, measured
from bisenet.classes import BY_NAME, NOT_LOOKED_AT, UNKNOWN
from bisenet.dashboard.picture import pack
from bisenet.dashboard.session.gallery import make_view
from bisenet.images import samples
from bisenet.images.decode import Photo, load_image
from bisenet.measure.differences import label_difference
from bisenet.measure.regions import measure_regions
from bisenet.output import encode
from bisenet.parser import FaceParser, Parsing
from bisenet.postprocess.logits import LogitGrid
from bisenet.postprocess.resample import covered
from bisenet.postprocess.results import Face, spread
from tests.conftest import DATA, ROOT

HAIR, CLOTH = BY_NAME["hair"].id, BY_NAME["cloth"].id
STREET = DATA / "clothing-full-body" / "images"
HELD_OUT = (ROOT / "recipes" / "held-out" / "clothing-full-body.txt").read_text().split()


def inside_fine_crop(face: Face) -> NDArray[np.bool_]:
    grid = LogitGrid(face.logits.astype(np.float32), face.crop.size)
    return spread(covered(face.crop, grid), face.crop.window, face.shape)


def share_cut_straight(parsing: Parsing, face: Face) -> float:
    """Share of hair's boundary pixels that lie where the fine crop ends."""
    hair, inside = parsing.mask == HAIR, inside_fine_crop(face)
    ends, last = np.zeros_like(hair), np.zeros_like(hair)
    for axis in (0, 1):
        for shift in (1, -1):
            edge = hair & ~np.roll(hair, shift, axis)
            ends |= edge
            last |= edge & inside & ~np.roll(inside, shift, axis)
    return float(last.sum() / max(ends.sum(), 1))


@pytest.fixture(scope="module")
def in_a_scene(parser: FaceParser) -> Parsing:
    """The astronaut, small in a wide grey scene: the fine crop ends above the suit's middle."""
    scene = np.full((1000, 1200, 3), 128, np.uint8)
    scene[1000 - 512 :, 300:812] = np.asarray(samples.astronaut())
    return parser.parse(scene)


def test_clothes_go_on_beyond_the_fine_crop(in_a_scene: Parsing) -> None:
    (face,) = in_a_scene.faces
    assert face.wide is not None
    clothes = in_a_scene.mask == CLOTH
    assert (clothes & ~inside_fine_crop(face)).sum() > 20_000
    assert clothes[800, 400:700].mean() > 0.8


def test_what_no_view_reached_is_not_called_background(in_a_scene: Parsing) -> None:
    covered = in_a_scene.covered
    assert covered.shape == in_a_scene.mask.shape
    assert 0 < covered.mean() < 1
    assert not in_a_scene.mask[~covered].any()
    assert np.array_equal(covered, in_a_scene.instance_ids > 0)


def test_soft_edges_are_those_of_the_mask(in_a_scene: Parsing) -> None:
    """Both views' probabilities are read where each decides."""
    likely = in_a_scene.probability(CLOTH) > 0.5
    assert (likely & (in_a_scene.mask != CLOTH)).mean() < 0.001
    assert (likely & (in_a_scene.mask == CLOTH)).sum() > 0.9 * (in_a_scene.mask == CLOTH).sum()


def test_an_aligned_face_is_looked_at_once(parsing: Parsing) -> None:
    assert parsing.covered.all()
    assert [view.wide for view in parsing.views] == [None]


def test_two_people_keep_their_own_fine_views(parser: FaceParser) -> None:
    scene = np.full((600, 1200, 3), 128, np.uint8)
    scene[88:, 40:552] = np.asarray(samples.astronaut())
    scene[88:, 600:1112] = np.asarray(
        samples.astronaut().transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    )
    parsing = parser.parse(scene)
    assert len(parsing.faces) == 2
    for face in parsing.faces:
        x0, y0, x1, y1 = (round(v) for v in face.box)
        assert (parsing.instance_ids[y0:y1, x0:x1] == face.id).mean() > 0.97


@pytest.mark.skipif(
    not STREET.is_dir(), reason="the full-body photos are not beside the repository"
)
def test_long_hair_has_no_straight_edge_where_the_fine_crop_ends(parser: FaceParser) -> None:
    shares = []
    for path in sorted(STREET.iterdir()):
        if hashlib.sha256(path.read_bytes()).hexdigest() not in HELD_OUT:
            continue
        parsing = parser.parse(load_image(path))
        shares += [share_cut_straight(parsing, face) for face in parsing.faces[:1]]
        if len(shares) == 12:
            break
    assert len(shares) == 12
    # A boundary that crosses the rim leaves a few pixels there; without the wide view it is 0.09.
    assert np.mean(shares) < 0.02, shares
    assert max(shares) < 0.05, shares


def test_what_nobody_looked_at_is_in_no_row(in_a_scene: Parsing) -> None:
    regions = measure_regions(in_a_scene)
    assert regions["area_px"].sum() == in_a_scene.covered.sum()
    clothes = regions.set_index("class_id").loc[CLOTH]
    rows, columns = np.nonzero(in_a_scene.mask == CLOTH)
    assert clothes["area_px"] == len(rows)
    assert clothes["top_px"] == rows.min()
    assert clothes["right_px"] == columns.max() + 1
    view = make_view(in_a_scene, "scene")
    shown = in_a_scene.labels
    assert (shown == NOT_LOOKED_AT).sum() == (~in_a_scene.covered).sum()
    assert view.picture.labels == pack(shown)


def test_shares_are_of_what_was_looked_at_and_of_the_image(in_a_scene: Parsing) -> None:
    looked_at = int(in_a_scene.covered.sum())
    assert in_a_scene.parsed_px == looked_at < in_a_scene.mask.size
    regions = measure_regions(in_a_scene)
    assert regions["parsed_share"].sum() == pytest.approx(1)
    assert regions["image_share"].sum() == pytest.approx(looked_at / in_a_scene.mask.size)
    clothes = regions.set_index("class_id").loc[CLOTH]
    assert clothes["parsed_share"] == pytest.approx((in_a_scene.mask == CLOTH).sum() / looked_at)
    of_a_face = measure_regions(in_a_scene, by_face=True).set_index("class_id").loc[CLOTH]
    assert of_a_face["parsed_share"] == clothes["parsed_share"]
    assert of_a_face["image_share"] == clothes["image_share"]
    document = json.loads(encode.regions_json(regions, in_a_scene))
    assert document["image"] == {"width": 1200, "height": 1000, "parsed_px": looked_at}


def test_where_all_was_looked_at_both_shares_are_one(parser: FaceParser, parsing: Parsing) -> None:
    nobody = parser.parse(np.full((60, 90, 3), 128, np.uint8))
    assert not nobody.faces
    for whole in (parsing, nobody):
        assert whole.parsed_px == whole.mask.size
        assert whole.cut_off == ()
        regions = measure_regions(whole)
        assert (regions["parsed_share"] == regions["image_share"]).all()
        assert not regions["cut_off"].any()
        assert encode.mask_png(whole, 255) == encode.mask_png(whole)


def test_mask_files_say_what_nobody_looked_at_where_that_is_asked(in_a_scene: Parsing) -> None:
    plain = Image.open(io.BytesIO(encode.mask_png(in_a_scene)))
    assert isinstance(plain, PngImageFile)
    assert (np.asarray(plain) == in_a_scene.mask).all()
    unknown = Image.open(io.BytesIO(encode.mask_png(in_a_scene, 255)))
    assert isinstance(unknown, PngImageFile)
    labels = np.asarray(unknown)
    assert ((labels == 255) == ~in_a_scene.covered).all()
    assert (labels[in_a_scene.covered] == in_a_scene.mask[in_a_scene.covered]).all()
    # A pixel beyond the palette's end makes a PNG that many readers refuse.
    assert len(unknown.getpalette() or []) == 3 * 256
    assert json.loads(str(unknown.text["classes"]))["255"] == "unknown"
    with pytest.raises(ValueError, match="0, 255"):
        encode.mask_png(in_a_scene, 7)
    archive = zipfile.ZipFile(
        io.BytesIO(
            encode.files_zip(
                encode.bundle(
                    in_a_scene, measure_regions(in_a_scene), "a", "a.jpg", unknown=UNKNOWN
                )
            )
        )
    )
    assert archive.read("a/mask.png") == encode.mask_png(in_a_scene, 255)
    kept = keep(measured(Photo(in_a_scene.image), in_a_scene, "a.jpg"), 0, "a.jpg")
    assert kept.mask() == encode.mask_png(in_a_scene)
    assert (np.asarray(Image.open(io.BytesIO(kept.mask(255)))) == labels).all()


def test_photos_of_unequal_coverage_are_compared_where_both_were_looked_at(
    in_a_scene: Parsing,
) -> None:
    first = in_a_scene.labels
    second = in_a_scene.mask.copy()
    second[~in_a_scene.covered] = CLOTH
    assert label_difference(first, second).share == 0
    second[in_a_scene.mask == HAIR] = CLOTH
    hair = (in_a_scene.mask == HAIR).sum()
    assert label_difference(first, second).share == pytest.approx(hair / in_a_scene.parsed_px)


def test_clothes_that_leave_the_wide_view_are_said_to_be_cut_off(
    parser: FaceParser, in_a_scene: Parsing
) -> None:
    (face,) = in_a_scene.faces
    assert face.cut_off == in_a_scene.cut_off == (CLOTH,)
    for regions in (measure_regions(in_a_scene), measure_regions(in_a_scene, by_face=True)):
        assert regions["class_id"][regions["cut_off"]].tolist() == [CLOTH]
    # With the photo they end where it ends, which the view shows.
    upper = parser.parse(in_a_scene.image[: 1000 - 512 + 330])
    assert (upper.mask[-1] == CLOTH).sum() > 200
    assert upper.covered[-1, 400:600].all()
    assert upper.cut_off == ()


@pytest.mark.skipif(
    not STREET.is_dir(), reason="the full-body photos are not beside the repository"
)
def test_hair_that_leaves_the_wide_view_is_said_to_be_cut_off(parser: FaceParser) -> None:
    """Hair to the waist, and hair to the shoulders; both wear a coat that goes on."""
    said = [parser.parse(load_image(STREET / name)).cut_off for name in ("0001.jpg", "0005.jpg")]
    assert said == [(CLOTH, HAIR), (CLOTH,)]
