"""Augmentation for photos people really upload: geometry, light, occlusion, backgrounds.

Everything works on 8-bit arrays with OpenCV and draws from the generator it is given, so a sample
depends on nothing but its seed. Geometry is one warp a sample, straight to the training size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from bisenet.classes import BACKGROUND, mirror_lut
from bisenet.data.accessories import paste_accessory
from bisenet.data.backgrounds import make_scene
from bisenet.data.crops import Frame
from bisenet.data.paste import before_warp, blend
from bisenet.data.photometric import light, recolor_region
from bisenet.data.types import Image, Mask, Pair

IGNORE = 255
_MIRROR = mirror_lut()


@dataclass(frozen=True)
class Geometry:
    """Ranges that one warp is drawn from.

    ``zoom`` is relative to the photo filling the frame, or the square about its face; ``roll`` in
    degrees, ``shift`` a fraction of the frame, ``perspective`` how far a corner moves as a fraction
    of the frame, ``aspect`` the logarithm of the width to height change.
    """

    zoom: tuple[float, float]
    roll: float
    shift: float
    perspective: float
    aspect: float
    about: Literal["photo", "face"] = "photo"


ALIGNED = Geometry(zoom=(0.92, 1.12), roll=5, shift=0.03, perspective=0.0, aspect=0.04)
MODERATE = Geometry(zoom=(0.7, 1.4), roll=20, shift=0.12, perspective=0.04, aspect=0.1)
WIDE = Geometry(zoom=(0.36, 1.6), roll=38, shift=0.22, perspective=0.1, aspect=0.15)

# What a data set's photos show, and so how the network's view is cut from them: geometries and
# their shares. ``aligned`` leaves both to the augmentation's own.
CropRule = Literal["aligned", "loose", "tight", "scene", "body", "photo"]
CROP_RULES: dict[str, tuple[tuple[Geometry, ...], tuple[float, ...]]] = {
    "aligned": ((), ()),
    # The head with room around it, as in news photos cut by a detector.
    "loose": (
        (
            Geometry((1.2, 1.75), roll=10, shift=0.05, perspective=0.03, aspect=0.06),
            Geometry((0.8, 1.9), roll=25, shift=0.12, perspective=0.06, aspect=0.1),
            Geometry((0.4, 1.1), roll=30, shift=0.2, perspective=0.08, aspect=0.12),
        ),
        (0.5, 0.3, 0.2),
    ),
    # The face fills the photo: hair and neck are cut.
    "tight": (
        (
            Geometry((0.62, 0.9), roll=10, shift=0.05, perspective=0.03, aspect=0.06),
            Geometry((0.5, 1.1), roll=25, shift=0.12, perspective=0.06, aspect=0.1),
            Geometry((0.3, 0.7), roll=30, shift=0.2, perspective=0.08, aspect=0.12),
        ),
        (0.5, 0.3, 0.2),
    ),
    # A whole photo: the fine crop, the wider view of 2 to 3.3 times its side, the whole photo.
    "scene": (
        (
            Geometry((0.72, 1.15), 18, 0.08, 0.04, 0.08, about="face"),
            Geometry((0.3, 0.5), 15, 0.1, 0.04, 0.08, about="face"),
            Geometry((0.8, 1.5), roll=12, shift=0.1, perspective=0.03, aspect=0.08),
        ),
        (0.5, 0.3, 0.2),
    ),
    # The same, for masks whose edges are rough at the size of a face.
    "body": (
        (
            Geometry((0.6, 1.0), 18, 0.08, 0.04, 0.08, about="face"),
            Geometry((0.25, 0.5), 15, 0.1, 0.04, 0.08, about="face"),
            Geometry((0.8, 1.5), roll=12, shift=0.1, perspective=0.03, aspect=0.08),
        ),
        (0.25, 0.45, 0.3),
    ),
    "photo": (
        (
            Geometry((0.8, 1.2), roll=12, shift=0.06, perspective=0.03, aspect=0.08),
            Geometry((0.5, 1.7), roll=30, shift=0.18, perspective=0.08, aspect=0.12),
        ),
        (0.5, 0.5),
    ),
}


@dataclass(frozen=True)
class AugmentConfig:
    """How often each change is made; probabilities a sample.

    ``geometries`` are drawn by ``shares``. The remaining fields name one change each.
    """

    geometries: tuple[Geometry, ...] = (ALIGNED, MODERATE, WIDE)
    shares: tuple[float, ...] = (0.4, 0.35, 0.25)
    mirror: float = 0.5
    accessory: float = 0.2
    scene: float = 0.25
    recolor_cloth: float = 0.2
    recolor_hair: float = 0.12
    patch: float = 0.15
    light: float = 1.0


# For the end of a run: more faces as aligned crops show them, less of the rest.
GENTLE = AugmentConfig(
    shares=(0.5, 0.25, 0.25), recolor_cloth=0.15, recolor_hair=0.08, patch=0.1, light=0.85
)
NO_AUGMENT = AugmentConfig(
    geometries=(Geometry((1.0, 1.0), 0, 0, 0, 0),),
    shares=(1.0,),
    mirror=0,
    accessory=0,
    scene=0,
    recolor_cloth=0,
    recolor_hair=0,
    patch=0,
    light=0,
)


def mirror(image: Image, mask: Mask) -> Pair:
    """The mirrored pair; what was the person's left becomes their right, and its label with it."""
    return np.ascontiguousarray(image[:, ::-1]), _MIRROR[mask[:, ::-1]]


def draw_matrix(
    rng: np.random.Generator,
    geometry: Geometry,
    source: tuple[int, int],
    size: int,
    frame: Frame | None = None,
) -> NDArray[np.float64]:
    """Homography, shape ``(3, 3)``, from source pixels to the pixels of a ``size`` square.

    Args:
        source: the photo's height and width; its longer side fills the frame at zoom 1.
        frame: the square about the photo's face, for geometries that are about it.
    """
    height, width = source
    x, y, side = (width - 1) / 2, (height - 1) / 2, float(max(height, width))
    if frame is not None and geometry.about == "face":
        x, y, side = frame
    zoom = np.exp(rng.uniform(*np.log(geometry.zoom)))
    stretch = np.exp(rng.uniform(-geometry.aspect, geometry.aspect) / 2)
    angle = np.deg2rad(rng.uniform(-geometry.roll, geometry.roll))
    # A shrunk face may wander through the frame that it no longer fills.
    reach = geometry.shift * min(1.0, zoom) + max(0.0, 0.5 - 0.5 * zoom) * (geometry.shift > 0)
    dx, dy = rng.uniform(-reach, reach, 2) * size
    scale = size / side * zoom
    cos, sin = np.cos(angle), np.sin(angle)
    centre = np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1]])
    place = np.array([[1, 0, (size - 1) / 2 + dx], [0, 1, (size - 1) / 2 + dy], [0, 0, 1]])
    linear = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]) @ np.diag(
        [scale * stretch, scale / stretch, 1.0]
    )
    matrix = place @ linear @ centre
    if geometry.perspective > 0:
        corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * (size - 1)
        moved = corners + rng.uniform(-1, 1, (4, 2)) * geometry.perspective * size
        tilt = cv2.getPerspectiveTransform(corners.astype(np.float32), moved.astype(np.float32))
        matrix = tilt @ matrix
    return matrix


def warp_pair(
    image: Image, mask: Mask, matrix: NDArray[np.float64], size: int
) -> tuple[Image, Mask, NDArray[np.bool_]]:
    """Warp image (bilinear, averaged first where it shrinks) and mask (nearest).

    Returns:
        Image ``(size, size, 3)``, mask ``(size, size)`` and where the photo reaches,
        ``(size, size)`` bool. Outside it the image is black and the mask ``IGNORE``.
    """
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
    shrunk, image_matrix = before_warp(image, matrix, scale)
    warped = cv2.warpPerspective(shrunk, image_matrix, (size, size), flags=cv2.INTER_LINEAR)
    warped_mask = cv2.warpPerspective(
        mask,
        matrix,
        (size, size),
        flags=cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(IGNORE,),
    )
    # A rim of half-black pixels is left by bilinear sampling at the photo's edge: not photo.
    inside = cv2.warpPerspective(
        np.full(shrunk.shape[:2], 255, np.uint8),
        image_matrix,
        (size, size),
        flags=cv2.INTER_LINEAR,
    )
    return warped, warped_mask.astype(np.uint8), inside == 255


def fill_outside(
    rng: np.random.Generator,
    photo: Image,
    image: Image,
    mask: Mask,
    inside: NDArray[np.bool_],
    matrix: NDArray[np.float64],
    donors: Sequence[Pair],
) -> None:
    """Fill what the photo does not reach, in place.

    A plain colour or a scene is background and is labelled so. A mirrored or stretched border
    repeats hair and skin that carry no agreed label (left would be right), so it is ignored.
    """
    outside = ~inside
    if not outside.any():
        return
    kind = rng.choice(4, p=[0.45, 0.15, 0.2, 0.2])
    if kind == 0:
        grey = rng.choice([0, 255, 127, -1], p=[0.5, 0.1, 0.15, 0.25])
        image[outside] = rng.integers(0, 256, 3) if grey < 0 else grey
        mask[outside] = BACKGROUND
    elif kind == 1:
        image[outside] = make_scene(rng, image.shape[0], donors)[outside]
        mask[outside] = BACKGROUND
    else:
        border = cv2.BORDER_REFLECT_101 if kind == 2 else cv2.BORDER_REPLICATE
        size = image.shape[0]
        repeated = cv2.warpPerspective(photo, matrix, (size, size), borderMode=border)
        image[outside] = repeated[outside]
        mask[outside] = IGNORE


def replace_background(image: Image, mask: Mask, inside: NDArray[np.bool_], scene: Image) -> Pair:
    """Paste the face, by its mask, on a scene; everything else becomes background.

    The edge is feathered by about a pixel, as a camera's would be.
    """
    face = (inside & (mask != BACKGROUND) & (mask != IGNORE)).astype(np.uint8) * 255
    # One pixel in: the rim still shows the old background and would betray the paste.
    face = cv2.erode(face, np.ones((3, 3), np.uint8))
    blended = blend(image, scene, cv2.GaussianBlur(face, (0, 0), 0.8))
    pasted_mask = np.where(inside & (mask != IGNORE), mask, BACKGROUND)
    return blended, pasted_mask.astype(np.uint8)


def occlude(rng: np.random.Generator, image: Image, mask: Mask, donors: Sequence[Pair]) -> None:
    """Cover part of the frame, in place, with a patch of scene or of another photo.

    A scene's patch is background. Another photo's patch brings its own labels.
    """
    size = image.shape[0]
    height, width = (rng.uniform(0.12, 0.45, 2) * size).astype(int)
    top = int(rng.integers(0, size - height))
    left = int(rng.integers(0, size - width))
    shape = np.zeros((height, width), np.uint8)
    kind = rng.integers(3)
    if kind == 0:
        shape[:] = 1
    elif kind == 1:
        angle = float(rng.uniform(0, 180))
        centre = (width // 2, height // 2)
        cv2.ellipse(shape, centre, (width // 2, height // 2), angle, 0, 360, (1,), -1)
    else:
        points = rng.uniform(0, 1, (int(rng.integers(4, 8)), 2)) * (width, height)
        cv2.fillConvexPoly(shape, cv2.convexHull(points.astype(np.int32)), (1,))
    chosen = shape.astype(bool)
    window = np.s_[top : top + height, left : left + width]
    if donors and rng.random() < 0.35:
        other, other_mask = donors[int(rng.integers(len(donors)))]
        y = int(rng.integers(0, max(1, other.shape[0] - height)))
        x = int(rng.integers(0, max(1, other.shape[1] - width)))
        piece, labels = (
            other[y : y + height, x : x + width],
            other_mask[y : y + height, x : x + width],
        )
        chosen = chosen[: piece.shape[0], : piece.shape[1]]
        image[window][: piece.shape[0], : piece.shape[1]][chosen] = piece[chosen]
        mask[window][: piece.shape[0], : piece.shape[1]][chosen] = labels[chosen]
        return
    image[window][chosen] = make_scene(rng, max(height, width), donors)[:height, :width][chosen]
    mask[window][chosen] = BACKGROUND


def augment(
    rng: np.random.Generator,
    image: Image,
    mask: Mask,
    size: int,
    config: AugmentConfig | None = None,
    donors: Sequence[Pair] = (),
    accessories: Sequence[Pair] = (),
    frame: Frame | None = None,
) -> Pair:
    """One training sample.

    Args:
        rng: the only source of chance.
        image, mask: ``(H, W, 3)`` RGB and ``(H, W)`` ids; not changed.
        size: side of the square that comes out.
        donors: other photos with their masks, for scenes and patches.
        accessories: photos with glasses, hats, necklaces or earrings, to copy those from.
        frame: the square about the photo's face; mirrored with the photo.

    Returns:
        Image ``(size, size, 3)`` and mask ``(size, size)``, ``IGNORE`` where nothing is known.
    """
    config = config or AugmentConfig()
    if accessories and rng.random() < config.accessory:
        image, mask = paste_accessory(
            rng, image, mask, accessories[int(rng.integers(len(accessories)))]
        )
    if rng.random() < config.mirror:
        image, mask = mirror(image, mask)
        frame = frame and (image.shape[1] - 1 - frame[0], *frame[1:])
    geometry = config.geometries[int(rng.choice(len(config.shares), p=config.shares))]
    matrix = draw_matrix(rng, geometry, (mask.shape[0], mask.shape[1]), size, frame)
    warped, warped_mask, inside = warp_pair(image, mask, matrix, size)
    if rng.random() < config.scene:
        scene = make_scene(rng, size, donors)
        warped, warped_mask = replace_background(warped, warped_mask, inside, scene)
    else:
        fill_outside(rng, image, warped, warped_mask, inside, matrix, donors)
    if rng.random() < config.recolor_cloth:
        warped = recolor_region(rng, warped, warped_mask, "cloth")
    if rng.random() < config.recolor_hair:
        warped = recolor_region(rng, warped, warped_mask, "hair")
    if rng.random() < config.patch:
        occlude(rng, warped, warped_mask, donors)
    if rng.random() < config.light:
        warped = light(rng, warped)
    return np.ascontiguousarray(warped), np.ascontiguousarray(warped_mask)
