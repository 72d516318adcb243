from __future__ import annotations

import codecs
import csv
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import supervision
from PIL import Image
from PIL.PngImagePlugin import PngImageFile
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from bisenet.batch.downloads import table_csv
from bisenet.classes import BY_NAME, CLASSES, palette
from bisenet.measure.regions import measure_regions
from bisenet.output import encode
from bisenet.parser import Parsing


def test_indexed_png_keeps_ids_colours_and_names(parsing: Parsing) -> None:
    image = Image.open(io.BytesIO(encode.indexed_png(parsing.mask)))
    assert isinstance(image, PngImageFile)
    assert image.mode == "P"
    assert (np.asarray(image) == parsing.mask).all()
    assert (image.getpalette() or [])[: 19 * 3] == palette().ravel().tolist()
    names = json.loads(str(image.text["classes"]))
    assert names["17"] == "hair"
    assert len(names) == 19


def test_overlay_has_the_photos_size(parsing: Parsing) -> None:
    image = Image.open(io.BytesIO(encode.overlay_png(parsing, 1.0, hidden=())))
    assert (np.asarray(image) == palette()[parsing.mask]).all()


def test_a_hard_cut_out_is_the_region_and_nothing_else(parsing: Parsing) -> None:
    lips = {BY_NAME["u_lip"].id, BY_NAME["l_lip"].id}
    whole = Image.open(io.BytesIO(encode.cut_out_png(parsing, lips, trim=False)))
    pixels = np.asarray(whole)
    assert ((pixels[..., 3] == 255) == np.isin(parsing.mask, list(lips))).all()
    assert (pixels[..., :3] == parsing.image).all()
    trimmed = Image.open(io.BytesIO(encode.cut_out_png(parsing, lips)))
    rows, columns = np.nonzero(np.isin(parsing.mask, list(lips)))
    assert trimmed.size == (np.ptp(columns) + 1, np.ptp(rows) + 1)


def test_a_soft_cut_out_follows_the_probabilities(parsing: Parsing) -> None:
    hair = BY_NAME["hair"].id
    pixels = np.asarray(Image.open(io.BytesIO(encode.cut_out_png(parsing, {hair}, True, False))))
    expected = np.round(parsing.probability(hair) * 255)
    assert np.abs(pixels[..., 3] - expected).max() <= 1
    assert len(np.unique(pixels[..., 3])) > 50


def test_an_absent_region_is_a_sentence(parsing: Parsing) -> None:
    absent = next(c.id for c in CLASSES if c.id not in parsing.classes)
    with pytest.raises(ValueError, match="None of these regions"):
        encode.cut_out_png(parsing, {absent})


def test_pycocotools_reads_the_regions_back(parsing: Parsing) -> None:
    document = json.loads(encode.coco_json(parsing, "a.png"))
    seen = set()
    for annotation in document["annotations"]:
        region = parsing.mask == annotation["category_id"]
        assert (rle.decode(annotation["segmentation"]) == region).all()
        assert annotation["area"] == region.sum()
        seen.add(annotation["category_id"])
    assert seen == set(parsing.classes) - {0}
    assert document["images"][0]["width"] == parsing.mask.shape[1]


def test_an_evaluation_counts_the_regions(parsing: Parsing, tmp_path: Path) -> None:
    document = json.loads(encode.coco_json(parsing, "Müller.heic"))
    assert document["images"][0]["file_name"] == "Müller.heic"
    path = tmp_path / "coco.json"
    path.write_bytes(encode.coco_json(parsing, "Müller.heic"))
    truth = COCO(str(path))
    found = truth.loadRes([{**one, "score": 1.0} for one in document["annotations"]])
    evaluation = COCOeval(truth, found, "segm")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1.0)
    for annotation in truth.loadAnns(truth.getAnnIds()):
        region = parsing.mask == annotation["category_id"]
        assert (truth.annToMask(annotation) == region).all()


def test_supervision_reads_the_regions_back(parsing: Parsing, tmp_path: Path) -> None:
    Image.fromarray(parsing.image).save(tmp_path / "a.png")
    (tmp_path / "coco.json").write_bytes(encode.coco_json(parsing, "a.png"))
    faces = supervision.DetectionDataset.from_coco(
        str(tmp_path), str(tmp_path / "coco.json"), force_masks=True
    )
    assert faces.classes == [c.name for c in CLASSES[1:]]
    ((_, image, regions),) = list(faces)
    assert image.shape == parsing.image.shape
    assert regions.mask is not None
    assert regions.class_id is not None
    assert {faces.classes[i] for i in regions.class_id} == {
        CLASSES[i].name for i in parsing.classes if i
    }
    for mask, class_id in zip(regions.mask, regions.class_id, strict=True):
        assert (mask == (parsing.mask == BY_NAME[faces.classes[class_id]].id)).all()


def test_a_text_that_a_spreadsheet_would_run_is_defused() -> None:
    texts = ["=1+1", "+1", "-2", "@SUM(A1)", "\tx", "Müller=1", "'x", "＝1", ""]
    table = pd.DataFrame(
        {
            "photo": texts,
            "=cmd": pd.Categorical(texts),
            "mixed": [-1, -2.5, "-3", None, "=a", True, 0, 1, 2],
            "number": np.linspace(-4, 4, 9),
            "whole": np.arange(-4, 5),
        }
    )
    table["day"] = pd.date_range("2026-01-01", periods=9)
    table.insert(1, "photo", texts, allow_duplicates=True)
    before = table.copy()
    data = encode.table_csv(table)
    pd.testing.assert_frame_equal(table, before)
    rows = list(csv.reader(io.StringIO(data.decode(), newline="")))
    safe = ["'=1+1", "'+1", "'-2", "'@SUM(A1)", "'\tx", "Müller=1", "'x", "'＝1", ""]
    assert rows[0] == ["photo", "photo", "'=cmd", "mixed", "number", "whole", "day"]
    for column in range(3):
        assert [row[column] for row in rows[1:]] == safe
    assert [row[3] for row in rows[1:]] == ["-1", "-2.5", "'-3", "", "'=a", "True", "0", "1", "2"]
    assert [row[4] for row in rows[1:]] == [str(i) for i in range(-4, 5)]
    assert [row[5] for row in rows[1:]] == [str(i) for i in range(-4, 5)]
    assert rows[1][6] == "2026-01-01"
    assert table_csv(table) == data
    assert encode.with_mark(data).decode("utf-8-sig").encode() == data


def test_measurements_survive_csv_and_json(parsing: Parsing) -> None:
    table = measure_regions(parsing)
    back = pd.read_csv(io.BytesIO(encode.regions_csv(table)))
    pd.testing.assert_frame_equal(back, table, check_dtype=False, rtol=1e-4)
    document = json.loads(encode.regions_json(table, parsing))
    assert [r["name"] for r in document["regions"]] == table["name"].tolist()
    assert document["regions"][0]["head_share"] is None


def test_the_zip_holds_everything_and_tells_its_progress(parsing: Parsing) -> None:
    heard: list[float] = []
    data = encode.files_zip(
        encode.bundle(parsing, measure_regions(parsing), "me", "me at home.jpg"),
        lambda share, name: heard.append(share),
    )
    archive = zipfile.ZipFile(io.BytesIO(data))
    assert archive.testzip() is None
    names = set(archive.namelist())
    assert {"me/mask.png", "me/overlay.png", "me/regions.csv", "me/coco.json"} <= names
    assert "me/regions/hair.png" in names
    assert archive.read("me/mask.png") == encode.indexed_png(parsing.mask)
    coco = json.loads(archive.read("me/coco.json"))
    assert coco["images"][0]["file_name"] == "me at home.jpg"
    for name in ("regions.csv", "timings.csv"):
        assert archive.read(f"me/{name}").startswith(codecs.BOM_UTF8)
    assert heard == sorted(heard)
    assert heard[-1] == 1.0


def test_timings_are_a_row_a_stage(parsing: Parsing) -> None:
    rows = pd.read_csv(io.BytesIO(encode.timings_csv(parsing)))
    assert rows["stage"].tolist() == list(parsing.timings)
    assert (rows["milliseconds"] >= 0).all()
