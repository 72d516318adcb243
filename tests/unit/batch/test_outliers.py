from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bisenet.batch import downloads
from bisenet.batch.items import TIDY
from bisenet.batch.outliers import MEASURES, MIN_FACES, by_face, outliers, robust_z
from bisenet.classes import BY_NAME

HAIR, NOSE, HAT = (BY_NAME[name].id for name in ("hair", "nose", "hat"))
SHARE, AREA, WIDTH = (
    next(m for m in MEASURES if m.column == column)
    for column in ("head_share", "area_px", "width_px")
)


def tidy(*rows: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame([dict.fromkeys(TIDY, 0) | row for row in rows], columns=list(TIDY))


@pytest.fixture
def table() -> pd.DataFrame:
    return tidy(
        {"photo": "b", "face": 1, "class_id": HAIR, "head_share": 0.5, "right_px": 9},
        {"photo": "b", "face": 1, "class_id": NOSE, "head_share": 0.1, "right_px": 4},
        {"photo": "b", "face": 2, "class_id": HAIR, "head_share": 0.4, "left_px": 5, "right_px": 6},
        {"photo": "a", "face": 1, "class_id": HAT, "head_share": 0.3, "right_px": 2},
    )


def test_a_row_a_face_and_a_column_a_region(table: pd.DataFrame) -> None:
    wide = by_face(table, SHARE)
    assert wide.index.tolist() == [("b", 1), ("b", 2), ("a", 1)]
    assert wide.columns.tolist() == [NOSE, HAIR, HAT]
    assert wide[HAIR].tolist()[:2] == [50, 40]
    assert wide[HAIR].isna().tolist() == [False, False, True]
    assert by_face(table, WIDTH)[HAIR].tolist()[:2] == [9, 1]
    assert by_face(table.iloc[:0], AREA).empty


def test_the_robust_score_is_the_hand_worked_one() -> None:
    # Median 5, absolute deviations 4 3 2 1 0 1 2 3 95: their median is 2.
    wide = pd.DataFrame({HAIR: [1.0, 2, 3, 4, 5, 6, 7, 8, 100]})
    z = robust_z(wide)[HAIR]
    assert z.iloc[-1] == pytest.approx(0.6745 * 95 / 2)
    assert z.iloc[0] == pytest.approx(0.6745 * -4 / 2)
    found = outliers(wide)
    assert found["outlying"].tolist() == [False] * 8 + [True]
    assert found["why"].iloc[-1] == "Hair +32.0"


def test_too_few_faces_or_no_spread_have_no_outliers() -> None:
    few = pd.DataFrame({HAIR: [1.0] * (MIN_FACES - 2) + [9.0]})
    same = pd.DataFrame({HAIR: [1.0] * 20 + [9.0], NOSE: [np.nan] * 21})
    for wide in (few, same):
        assert outliers(wide)["score"].tolist() == [0.0] * len(wide)
    nothing = outliers(pd.DataFrame(index=pd.MultiIndex.from_arrays([[], []])))
    assert nothing.empty


def test_what_few_faces_have_makes_nobody_an_outlier() -> None:
    hats = [*np.arange(MIN_FACES, dtype=float), 100.0]
    wide = pd.DataFrame({HAIR: np.arange(30.0), HAT: hats + [np.nan] * (30 - len(hats))})
    assert not outliers(wide)["outlying"].any()
    assert outliers(wide.iloc[: len(hats)])["outlying"].sum() == 1


def test_the_region_that_stands_out_most_comes_first() -> None:
    base = np.arange(12.0)
    wide = pd.DataFrame({HAIR: [*base, 40], NOSE: [*base, -90], HAT: [*base, 6]})
    assert outliers(wide)["why"].iloc[-1].startswith("Nose -")
    assert ", Hair +" in outliers(wide)["why"].iloc[-1]
    assert "Hat" not in outliers(wide)["why"].iloc[-1]


def test_tables_come_back_from_both_forms(table: pd.DataFrame, tmp_path: Path) -> None:
    for suffix, read in ((".csv", pd.read_csv), (".parquet", pd.read_parquet)):
        path = tmp_path / "new" / f"regions{suffix}"
        downloads.write_table(table, path)
        back = read(path)
        assert tuple(back.columns) == TIDY
        assert back["head_share"].tolist() == table["head_share"].tolist()
        assert back["photo"].tolist() == ["b", "b", "b", "a"]
    with pytest.raises(ValueError, match=r"\.csv or \.parquet"):
        downloads.write_table(table, tmp_path / "regions.xlsx")


def test_masks_have_names_of_their_own_in_the_zip() -> None:
    masks = [("a/x.jpg", b"one"), ("a/x.png", b"two"), ("y.heic", b"three" * 1000)]
    with zipfile.ZipFile(io.BytesIO(downloads.masks_zip(masks))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "a/x.png": b"one",
            "a/x (2).png": b"two",
            "y.png": b"three" * 1000,
        }
