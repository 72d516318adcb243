from __future__ import annotations

import numpy as np
import pytest

from bisenet.classes import BY_NAME, CLASSES
from bisenet.measure import region_detail
from bisenet.measure.regions import measure_regions
from bisenet.parser import Parsing

HAIR = BY_NAME["hair"].id


def test_the_box_has_a_margin_and_stays_inside() -> None:
    region = np.zeros((40, 60), dtype=bool)
    region[0:10, 20:40] = True
    assert region_detail.region_box(region, margin=0.1) == (18, 0, 42, 12)
    with pytest.raises(ValueError, match="empty"):
        region_detail.region_box(np.zeros((3, 3), dtype=bool))


def test_each_backdrop_keeps_the_region_and_replaces_the_rest(parsing: Parsing) -> None:
    x0, y0, x1, y1 = region_detail.region_box(parsing.mask == HAIR)
    inside = (parsing.mask == HAIR)[y0:y1, x0:x1]
    photo = parsing.image[y0:y1, x0:x1]
    clear = region_detail.show_region(parsing, HAIR, "transparent")
    assert ((clear[..., 3] == 255) == inside).all()
    plain = region_detail.show_region(parsing, HAIR, "plain", "#102030")
    assert (plain[inside] == photo[inside]).all()
    assert (plain[~inside] == (16, 32, 48)).all()
    context = region_detail.show_region(parsing, HAIR, "context")
    assert (context[inside] == photo[inside]).all()
    rest = context[~inside]
    assert (rest[:, 0] == rest[:, 2]).all()
    assert len(np.unique(rest)) > 10


def test_histograms_are_shares(parsing: Parsing) -> None:
    colors = region_detail.color_histogram(parsing, HAIR)
    assert colors[["red", "green", "blue"]].sum().tolist() == pytest.approx([1, 1, 1])
    mean_red = float((colors["level"] * colors["red"]).sum())
    assert mean_red == pytest.approx(parsing.image[parsing.mask == HAIR][:, 0].mean(), abs=4)
    confidence = region_detail.confidence_histogram(parsing, HAIR)
    assert confidence["share"].sum() == pytest.approx(1)


def test_the_network_is_less_sure_along_the_edge_than_inside(parsing: Parsing) -> None:
    entropy = parsing.entropy()
    assert entropy.shape == parsing.mask.shape
    assert entropy.min() >= 0
    assert entropy.max() <= np.log2(len(CLASSES)) + 1e-4
    nose = parsing.mask == BY_NAME["nose"].id
    assert region_detail.boundary_entropy(entropy, nose) > float(entropy[nose].mean())
    assert np.isnan(region_detail.boundary_entropy(entropy, np.zeros_like(nose)))


def test_heat_maps_are_small_and_blank_outside(parsing: Parsing) -> None:
    region = parsing.mask == HAIR
    small = region_detail.heat_map(parsing.confidence, region, longest=50)
    assert max(small.shape) <= 50
    assert np.isnan(small).any()
    assert np.nanmin(small) > 0


def test_doubt_names_the_unsure_regions_least_sure_first(parsing: Parsing) -> None:
    regions = measure_regions(parsing)
    regions["confidence"] = 0.9
    regions.loc[regions["name"] == "hair", "confidence"] = 0.6
    regions.loc[regions["name"] == "neck", "confidence"] = 0.4
    regions.loc[regions["name"] == "background", "confidence"] = 0.1
    assert region_detail.low_confidence(regions) == ["Neck", "Hair"]
