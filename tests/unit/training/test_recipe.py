from __future__ import annotations

from pathlib import Path

import pytest

from bisenet.training.recipe import RecipeError, read_recipe
from tests.conftest import ROOT

RECIPES = ROOT / "recipes"

GOOD = """\
[network]
backbone = "resnet18"
peak = 1e-3

[run]
samples = 64
steer = "faces"

[[data]]
name = "faces"
path = "faces"
held_out = "held.txt"

[[data]]
name = "photos"
path = "photos"
kind = "unlabelled"
pseudo = 1

[[round]]
phases = "64x4:1"

[[round]]
phases = "64x4:1,96x2:2"
peak = 0.5
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda p: p.name)
def test_the_shipped_recipes_can_be_followed(path: Path) -> None:
    recipe = read_recipe(path)
    for spec in recipe.data:
        assert spec.held_out is None or (path.parent / spec.held_out).is_file()


def test_a_recipe_says_what_is_trained_on_what(tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, GOOD))
    assert recipe.network.peak == 1e-3
    assert recipe.samples == 64
    assert [(d.name, d.kind, d.pseudo) for d in recipe.data] == [
        ("faces", "full", 0),
        ("photos", "unlabelled", 1),
    ]
    assert [r.epochs for r in recipe.rounds] == [1, 3]
    assert recipe.rounds[1].phases[1].size == 96
    assert recipe.options == {}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("samples = 64", "samples = ", "line 6"),  # TOML itself
        ("samples = 64", 'samples = "64"', "line 6: samples must be a whole number, not '64'"),
        ("samples = 64", "sample = 64", "line 6: 'sample' is not known"),
        ("samples = 64", "batch = 4", "several data sets need"),
        ("samples = 64", "samples = 0", "line 6: samples must be more than 0"),
        ('steer = "faces"', 'steer = "photos"', "line 7: the data set to steer by needs labels"),
        ('steer = "faces"', 'steer = "house"', "line 7: steer names no data set"),
        ('"resnet18"', '"resnet50"', "line 2: backbone is 'resnet50'; choose one of: resnet18"),
        ("peak = 1e-3", 'peak = "high"', "line 3: peak must be a number"),
        ('kind = "unlabelled"', 'kind = "half"', "line 17: kind is 'half'"),
        ("pseudo = 1", "", "line 17: unlabelled photos need pseudo"),
        ("pseudo = 1", "pseudo = 2", "line 18: pseudo is 2, but no round follows"),
        ("pseudo = 1", "pseudo = 1\nshare = -1", "line 19: share must be more than 0"),
        ("pseudo = 1", 'pseudo = 1\ncrop = "round"', "line 19: crop is 'round'"),
        ("pseudo = 1", 'pseudo = 1\nlabels = "ade20k"', "line 19: labels is 'ade20k'"),
        ("pseudo = 1", "pseudo = 1\nweight = 2", "line 19: 'weight' is not known here"),
        ('name = "photos"', 'name = "faces"', "line 15: the name 'faces' is there twice"),
        ('path = "photos"', "", r"line 14: \[data\] lacks path"),
        ('name = "faces"', 'name = "faces"\nkind = "partial"', "line 11: the first data set must"),
        ('"64x4:1"', '"65x4:1"', "line 21: .* multiple of 32"),
        ("peak = 0.5", "peak = 2", "line 25: peak is a share"),
        ('phases = "64x4:1,96x2:2"', "", r"line 23: \[round\] lacks phases"),
        ("[network]", "[net]", "line 1: 'net' is not known"),
    ],
)
def test_bad_recipes_name_file_and_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in GOOD
    path = written(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(RecipeError, match=says) as error:
        read_recipe(path)
    assert str(path) in str(error.value)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"nowhere\.toml: cannot be read"):
        read_recipe(tmp_path / "nowhere.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(RecipeError, match=r"binary\.toml: cannot be read"):
        read_recipe(tmp_path / "binary.toml")
    with pytest.raises(RecipeError, match="at least one data set"):
        read_recipe(written(tmp_path, "[network]\n"))
