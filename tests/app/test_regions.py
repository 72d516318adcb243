from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.test_explore import texts


@pytest.fixture
def regions(app: AppTest) -> AppTest:
    return app.switch_page("pages/regions.py").run()


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def test_a_region_is_in_the_hand_on_arrival(regions: AppTest) -> None:
    assert not regions.exception
    assert not regions.error
    assert regions.selectbox(key="region_choice").value == 17
    shown = metrics(regions)
    assert shown["Area"].endswith("px")
    assert shown["Confidence"].endswith("%")
    assert shown["Doubt at the edge"].endswith("bits")
    assert int(shown["Pieces"]) >= 1


def test_choosing_another_region_changes_what_is_shown(regions: AppTest) -> None:
    before = metrics(regions)
    regions.selectbox(key="region_choice").set_value(10).run()
    after = metrics(regions)
    assert "Nose" in [heading.value for heading in regions.subheader]
    assert after["Area"] != before["Area"]
    assert after["Symmetry"] == before["Symmetry"]


@pytest.mark.parametrize("backdrop", ["Transparent", "Plain colour", "In context"])
def test_every_backdrop_works(regions: AppTest, backdrop: str) -> None:
    regions.segmented_control(key="backdrop").set_value(backdrop).run()
    assert not regions.exception
    assert not regions.error


def test_pairs_and_proportions_have_units(regions: AppTest) -> None:
    pairs = regions.dataframe[0].value
    assert pairs["Pair"].tolist() == ["Eyes", "Brows", "Ears"]
    shown = metrics(regions)
    assert shown["Symmetry"].endswith("%")
    assert shown["Tilt of the eye line"].endswith("°")


def test_a_picture_without_a_face_says_what_cannot_be_measured(
    app: AppTest, grey_png: bytes
) -> None:
    app.file_uploader[0].set_value(("a.png", grey_png, "image/png")).run()
    app.switch_page("pages/regions.py").run()
    assert not app.exception
    assert not app.error
    assert metrics(app)["Symmetry"] == "not measurable"
    assert "there is nothing to pair" in texts(app)
