"""The class colours are told apart: in pairs, on skin, in both themes, with three kinds of vision.

docs/palette.md says how the colours were chosen and what these figures mean. Distances are
CIEDE2000; about 2 is the least that two adjacent patches can differ and be seen to differ.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2lab

from bisenet.classes import BY_NAME, CLASSES, palette

Array = NDArray[np.float64]

# Machado, Oliveira, Fernandes, "A Physiologically-based Model for Simulation of Color Vision
# Deficiency", IEEE TVCG 2009, severity 1.0; they act on linear RGB.
VISION: dict[str, Array] = {
    "normal": np.eye(3),
    "deutan": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "protan": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
}

# Pairs that share an edge in at least 15% of the 801 labelled training faces that show both.
TOUCHING = [
    (first, second)
    for first, seconds in {
        "background": "skin eye_g l_ear r_ear ear_r neck neck_l cloth hair hat",
        "skin": "l_brow r_brow l_eye r_eye eye_g l_ear r_ear ear_r nose mouth u_lip l_lip neck "
        "cloth hair hat",
        "l_brow": "eye_g hair hat",
        "r_brow": "eye_g hair hat",
        "l_eye": "eye_g",
        "r_eye": "eye_g",
        "eye_g": "l_ear r_ear nose hair hat",
        "l_ear": "ear_r neck hair hat",
        "r_ear": "ear_r neck hair hat",
        "ear_r": "neck cloth hair",
        "mouth": "u_lip l_lip",
        "u_lip": "l_lip",
        "neck": "neck_l cloth hair",
        "neck_l": "cloth hair",
        "cloth": "hair",
        "hair": "hat",
    }.items()
    for second in seconds.split()
]

# Monk Skin Tone Scale, https://skintone.google, from light to dark.
SKIN_TONES = (
    *("f6ede4", "f3e7db", "f7ead0", "eadaba", "d7bd96"),
    *("a07e56", "825c43", "604134", "3a312a", "292420"),
)
OPACITY = 0.6  # the overlay's default

# The page's colours of .streamlit/config.toml.
LIGHT, DARK = "ffffff", "0f141a"


def srgb(colour: str) -> Array:
    return np.array([int(colour[i : i + 2], 16) for i in (0, 2, 4)]) / 255


def linear(rgb: Array) -> Array:
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def seen(rgb: Array, vision: str) -> Array:
    """CIELAB of sRGB colours ``(..., 3)`` in 0..1 as that vision has them."""
    light = np.clip(linear(rgb) @ VISION[vision].T, 0, 1)
    encoded = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    lab: Array = rgb2lab(encoded)
    return lab


def pair_distances(vision: str) -> dict[tuple[str, str], float]:
    lab = seen(palette() / 255, vision)
    return {
        (a.name, b.name): float(deltaE_ciede2000(lab[a.id], lab[b.id]))
        for a, b in combinations(CLASSES, 2)
    }


def contrast(rgb: Array, page: str) -> float:
    """WCAG 2 contrast ratio."""
    weights = [0.2126, 0.7152, 0.0722]
    dim, bright = sorted([float(linear(rgb) @ weights), float(linear(srgb(page)) @ weights)])
    return (bright + 0.05) / (dim + 0.05)


@pytest.mark.parametrize(
    ("vision", "any_pair", "touching_pair"),
    [("normal", 12.6, 22.0), ("deutan", 9.0, 15.0), ("protan", 9.0, 13.7)],
)
def test_classes_are_told_apart(vision: str, any_pair: float, touching_pair: float) -> None:
    distances = pair_distances(vision)
    assert len(distances) == 171
    assert set(TOUCHING) <= set(distances), "every touching pair is a pair of classes, in order"
    closest = min(distances, key=lambda pair: distances[pair])
    assert distances[closest] >= any_pair, closest
    closest = min(TOUCHING, key=lambda pair: distances[pair])
    assert distances[closest] >= touching_pair, closest


@pytest.mark.parametrize(("vision", "least"), [("normal", 8.9), ("deutan", 5.7), ("protan", 6.1)])
def test_a_coloured_region_stands_out_on_bare_skin(vision: str, least: float) -> None:
    """Each class alone over each skin tone, against that skin; the class skin looks like skin."""
    tones = np.stack([srgb(tone) for tone in SKIN_TONES])
    colours = palette()[[c.id for c in CLASSES if c.name != "skin"]] / 255
    covered = OPACITY * colours[:, None] + (1 - OPACITY) * tones
    distances = deltaE_ciede2000(seen(covered, vision), seen(tones, vision)[None])
    assert distances.min() >= least


def test_swatches_stand_out_in_both_themes() -> None:
    for c in CLASSES:
        assert contrast(np.array(c.rgb) / 255, LIGHT) >= 1.5, c.name
        assert contrast(np.array(c.rgb) / 255, DARK) >= 1.6, c.name


def test_twins_share_a_hue_one_dark_and_one_light() -> None:
    lab = seen(palette() / 255, "normal")
    hue = np.degrees(np.arctan2(lab[:, 2], lab[:, 1]))
    for name in ("brow", "eye", "ear"):
        left, right = BY_NAME[f"l_{name}"].id, BY_NAME[f"r_{name}"].id
        assert lab[right, 0] - lab[left, 0] >= 15, name
        assert abs(hue[right] - hue[left]) <= 35, name
