"""A real face against its mirror image."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from bisenet.cli.main import main


def test_the_command_on_a_real_face(
    tmp_path: Path, portrait: Image.Image, capsys: pytest.CaptureFixture[str]
) -> None:
    portrait.resize((160, 160)).save(tmp_path / "40_1_0_a.png")
    assert main(["consistency", "--data", str(tmp_path), "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    count, pixels, miou = table["all"]["all"]
    assert count == 1
    assert 0.85 < pixels <= 1
    assert 0.5 < miou <= 1
    assert list(table["group"]) == ["white"]
    assert "skin as pictured (ITA)" in table
    assert main(["consistency", "--data", str(tmp_path), "--limit", "1"]) == 0
    assert "| sex: female | 1 |" in capsys.readouterr().out
