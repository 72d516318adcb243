"""Composed scenes, searched by the real detector."""

from __future__ import annotations

import pytest

from bisenet.evaluation import scene_report
from bisenet.parser import FaceParser
from tests.conftest import LABELLED, needs_labelled_faces


@needs_labelled_faces
def test_faces_in_scenes_are_found(parser: FaceParser, monkeypatch: pytest.MonkeyPatch) -> None:
    from bisenet.data.faces import find_faces

    monkeypatch.setattr(scene_report, "SIZES", (128,))
    monkeypatch.setattr(scene_report, "ROLLS", ())
    monkeypatch.setattr(scene_report, "NUMBERS", (0,))
    files = find_faces(LABELLED / "val")[:4]
    report = scene_report.scene_report(parser, files, scenes=1, seed=4)
    size, none = report["rows"]
    assert size["faces"] == 3
    assert size["recall"] > 0.6
    assert none["recall"] is None
    assert none["false_per_image"] == 0
