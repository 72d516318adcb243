"""FaceParser on whole photos: several faces, none, too small, boxed by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from bisenet.classes import BACKGROUND, BY_NAME
from bisenet.detection.finder import Detection
from bisenet.geometry.boxes import Box
from bisenet.geometry.crops import square_crop
from bisenet.images import samples
from bisenet.measure.regions import COLUMNS, measure_regions, of_people
from bisenet.parser import FaceParser, Parsing, _parseable
from bisenet.postprocess.landmarks import Landmarks
from bisenet.postprocess.logits import softmax, to_crop

L_EYE, R_EYE, SKIN, HAIR, CLOTH = (
    BY_NAME[name].id for name in ("l_eye", "r_eye", "skin", "hair", "cloth")
)
# Where the astronaut's face is in the 512-pixel picture.
EYES = ((202.0, 102.0), (246.0, 103.0))


@pytest.fixture(scope="module")
def alone(parser: FaceParser) -> Parsing:
    return parser.parse(samples.astronaut())


def _group() -> NDArray[np.uint8]:
    """Three astronauts on grass: upright, smaller, and leaning."""
    scene = Image.fromarray(np.repeat(data.grass()[..., None], 3, axis=2)).resize((1000, 600))
    head = samples.astronaut().crop((120, 0, 340, 220))
    scene.paste(head.resize((330, 330)), (20, 180))
    scene.paste(head.resize((150, 150)), (420, 60))
    leaning = head.convert("RGBA").rotate(-20, Image.Resampling.BICUBIC, expand=True)
    scene.paste(leaning, (640, 220), leaning)
    return np.asarray(scene)


@pytest.fixture(scope="module")
def group(parser: FaceParser) -> Parsing:
    return parser.parse(_group())


def test_a_face_is_found_in_the_whole_picture(alone: Parsing) -> None:
    (face,) = alone.faces
    assert alone.notices == ()
    assert face.id == 1
    assert face.eyes is not None
    for eye, wanted in zip(face.eyes, EYES, strict=True):
        assert eye == pytest.approx(wanted, abs=4)
    assert face.roll == pytest.approx(3, abs=6)
    x0, y0, x1, y1 = face.box
    assert x0 < 200 < 250 < x1
    assert y0 < 95 < 170 < y1
    assert 0.5 < face.score <= 1
    assert next(iter(alone.timings)) == "find"


def test_eyes_are_labelled_where_they_are(alone: Parsing) -> None:
    for class_id, (x, y) in zip((R_EYE, L_EYE), EYES, strict=True):
        ys, xs = np.nonzero(alone.mask == class_id)
        assert (xs.mean(), ys.mean()) == pytest.approx((x, y), abs=4)


def test_beyond_the_crop_is_background(alone: Parsing) -> None:
    beyond = alone.instance_ids == 0
    assert beyond.any()
    assert (alone.mask[beyond] == BACKGROUND).all()
    assert (alone.confidence[beyond] == 1).all()
    assert (alone.probability(BACKGROUND)[beyond] == 1).all()
    assert (alone.entropy()[beyond] == 0).all()


def test_three_faces_are_three_faces(group: Parsing) -> None:
    assert [face.id for face in group.faces] == [1, 2, 3]
    sides = [face.crop.side for face in group.faces]
    assert sides == sorted(sides, reverse=True)
    centres = sorted(round(face.crop.centre[0] / 10) for face in group.faces)
    assert centres == pytest.approx([19, 50, 77], abs=3)
    leaning = max(group.faces, key=lambda face: face.crop.centre[0])
    assert leaning.roll == pytest.approx(20, abs=7)


def test_the_composite_is_made_of_the_faces(group: Parsing) -> None:
    masks = np.stack([face.mask for face in group.faces])
    assert ((masks != BACKGROUND).sum(0) <= 1).all(), "a pixel belongs to one face"
    assert np.array_equal(masks.max(0), group.mask)
    assert all((face.mask == SKIN).sum() > 500 for face in group.faces)


def test_probabilities_add_up(alone: Parsing) -> None:
    total = sum(alone.probability(i) for i in range(19))
    assert np.abs(total - 1).max() < 1e-3


def test_probabilities_follow_the_composite(group: Parsing) -> None:
    agrees = group.probability(SKIN) > 0.6
    assert (group.mask[agrees] == SKIN).mean() > 0.99
    assert 0 <= group.entropy().min() <= group.entropy().max() < 4.3


def test_measurements_by_face(group: Parsing) -> None:
    whole, table = measure_regions(group), measure_regions(group, by_face=True)
    assert list(whole.columns) == list(COLUMNS)
    assert list(table.columns) == ["face", *COLUMNS]
    assert set(table["face"]) == {1, 2, 3}
    assert "background" not in set(table["name"])
    area = table.groupby("name")["area_px"].sum().to_dict()
    own, left_out = of_people(group)
    wanted = measure_regions(own).set_index("name")["area_px"].to_dict()
    assert {one.class_id for ones in left_out.values() for one in ones} <= {HAIR, CLOTH}
    assert 0.99 < (own.mask == group.mask).mean() <= 1
    assert area == {name: pixels for name, pixels in wanted.items() if name != "background"}
    skin = table[table["name"] == "skin"].set_index("face")["centroid_x_px"].to_dict()
    for face in group.faces:
        x0, _, x1, _ = face.box
        assert x0 - 20 < skin[face.id] < x1 + 20
    assert table.groupby("face")["head_share"].sum().to_numpy() == pytest.approx(np.ones(3))


def test_no_face_and_the_whole_image_is_parsed(parser: FaceParser) -> None:
    calls: list[tuple[int, int]] = []
    picture = data.coffee()
    parsing = parser.parse(picture, progress=lambda done, total: calls.append((done, total)))
    assert parsing.faces == ()
    assert parsing.notices == ("No face was found, so the whole image was parsed as it is.",)
    assert np.array_equal(parsing.mask, parser.parse(picture, framing="whole").mask)
    assert parsing.probability(BACKGROUND).shape == parsing.mask.shape
    assert measure_regions(parsing, by_face=True).empty
    assert calls == [(1, 1)]


def test_a_whole_image_is_labelled_as_published(parser: FaceParser) -> None:
    square = np.asarray(samples.astronaut_face().resize((512, 512)))
    parsing = parser.parse(square, framing="whole")
    (face,) = parsing.faces
    assert "find" not in parsing.timings
    logits = to_crop(face.logits.astype(np.float32), 512)
    # Logits are kept in half precision: near ties may turn over.
    assert (logits.argmax(0) == parsing.mask).mean() > 0.999
    assert np.abs(softmax(logits).max(0) - parsing.confidence).mean() < 0.005
    assert np.array_equal(face.mask, parsing.mask)


def test_only_the_first_parse_is_a_warm_up() -> None:
    parser, photo = FaceParser(), np.zeros((64, 64, 3), np.uint8)
    assert [parser.parse(photo, framing="whole").warm_up for _ in range(3)] == [True, False, False]


def test_faces_boxed_by_hand(parser: FaceParser) -> None:
    photo = np.asarray(samples.astronaut())
    boxes: list[Box] = [(175, 60, 275, 185), (350, 350, 450, 450)]
    parsing = parser.parse(photo, boxes=boxes)
    assert len(parsing.faces) == 2
    assert len(parsing.notices) == 1
    assert "face 2" in parsing.notices[0]
    assert {face.box for face in parsing.faces} == set(boxes), "boxes stay as they were drawn"
    face = min(parsing.faces, key=lambda f: f.crop.centre[1])
    assert face.crop.centre == pytest.approx((225, 110), abs=12)


@pytest.mark.parametrize("box", [(10, 10, 10, 50), (900, 10, 950, 60), (5, 9, 4, 20)])
def test_a_box_that_holds_nothing_is_an_error(parser: FaceParser, box: Box) -> None:
    with pytest.raises(ValueError, match="Box 1"):
        parser.parse(samples.astronaut(), boxes=[box])


def test_limits_of_the_number_of_faces(parser: FaceParser) -> None:
    with pytest.raises(ValueError, match="max_faces"):
        parser.parse(samples.astronaut(), max_faces=0)
    parsing = parser.parse(_group(), max_faces=1)
    assert [face.id for face in parsing.faces] == [1]
    assert "3 faces were found; the 1 largest" in parsing.notices[0]


def _found(eye_distance: float, x: float = 100) -> Detection:
    eyes = ((x, 100.0), (x + eye_distance, 100.0))
    marks = Landmarks(eyes, True, (x + eye_distance / 2, 100 + eye_distance), 0.9)
    return Detection(square_crop((x, 100), 4 * eye_distance, 0, 160, (200, 900)), marks, 0.9)


def test_small_faces_are_named_and_left_out() -> None:
    notices: list[str] = []
    kept = _parseable([_found(40), _found(10), _found(8)], False, notices)
    assert [f.marks.eye_distance for f in kept if f.marks] == [40]
    assert notices == [
        "2 faces are too small to parse: their eyes are 10 pixels apart or less, and 13 are needed."
    ]
    assert len(_parseable([_found(10)], True, [])) == 1, "a box by hand is taken"


def test_a_face_of_32_pixels_is_said_to_be_too_small(parser: FaceParser) -> None:
    """The face, 120 pixels from hairline to chin, at about 32."""
    grass = Image.fromarray(np.repeat(data.grass()[..., None], 3, axis=2)).resize((400, 300))
    small = samples.astronaut().crop((120, 0, 340, 220)).resize((56, 56), Image.Resampling.BOX)
    grass.paste(small, (200, 120))
    parsing = parser.parse(grass)
    assert parsing.faces == ()
    assert "too small to parse" in parsing.notices[0]
    assert parsing.notices[1].startswith("No other face was found")


def test_wrong_arguments_are_one_sentence(parser: FaceParser) -> None:
    with pytest.raises(ValueError, match="no framing"):
        parser.parse(samples.astronaut(), framing="tight")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="uint8 RGB"):
        parser.parse(np.zeros((4, 4), np.uint8))
    with pytest.raises(ValueError, match="no pixels"):
        parser.parse(np.zeros((0, 4, 3), np.uint8))


def test_a_temperature_changes_confidence_and_no_label(
    parser: FaceParser, portrait: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert parser.weights.temperature == 1.2
    for framing in ("whole", "auto"):
        calibrated = parser.parse(portrait, framing=framing)
        with monkeypatch.context() as patch:
            patch.setattr(parser, "weights", dataclasses.replace(parser.weights, temperature=1.0))
            plain = parser.parse(portrait, framing=framing)
        # Where two classes are equal to the last bit of a float, rounding decides.
        assert (calibrated.mask != plain.mask).sum() <= 2
        seen = plain.instance_ids > 0
        assert (calibrated.confidence[seen] <= plain.confidence[seen] + 0.01).all()
        assert calibrated.confidence[seen].mean() < plain.confidence[seen].mean() - 0.002
