"""Everything that a person can download, as bytes."""

from __future__ import annotations

import codecs
import io
import json
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_object_dtype
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bisenet.classes import BACKGROUND, CLASSES, UNKNOWN, UNKNOWN_VALUES, palette
from bisenet.output import render
from bisenet.parser import Parsing

# Of the void in Pascal VOC's segmentation masks.
_UNKNOWN_COLOR = (224, 224, 192)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def indexed_png(mask: NDArray[np.uint8]) -> bytes:
    """A mask ``(H, W)`` as a palette PNG: one byte a pixel, class ids, class colours.

    The class names stand in the text chunk ``classes``, a JSON object from id to name. A mask may
    hold ``UNKNOWN`` too, which is named and has Pascal VOC's colour of it.
    """
    image = Image.fromarray(mask)
    colors = palette()
    names = {c.id: c.name for c in CLASSES}
    if mask.size and mask.max() == UNKNOWN:
        # Readers refuse pixels beyond the palette's end, so it has all 256 entries.
        colors = np.vstack([colors, np.zeros((UNKNOWN + 1 - len(colors), 3), np.uint8)])
        colors[UNKNOWN] = _UNKNOWN_COLOR
        names[UNKNOWN] = "unknown"
    image.putpalette(colors.ravel().tolist())
    info = PngInfo()
    info.add_text("classes", json.dumps(names))
    return _png(image, pnginfo=info)


def mask_png(parsing: Parsing, unknown: int = 0) -> bytes:
    """A parsing's mask as ``indexed_png``.

    Args:
        parsing: the parsed photo.
        unknown: what stands where no view looked, one of ``UNKNOWN_VALUES``: 0, which is the
            background's id too, or 255, which evaluations and trainings leave out.

    Raises:
        ValueError: ``unknown`` is another value.
    """
    return indexed_png(with_unknown(parsing.mask, parsing.covered, unknown))


def with_unknown(
    mask: NDArray[np.uint8], covered: NDArray[np.bool_], unknown: int
) -> NDArray[np.uint8]:
    """A mask ``(H, W)`` with ``unknown`` where it is not covered, as ``mask_png`` takes it."""
    if unknown not in UNKNOWN_VALUES:
        raise ValueError(f"unknown is one of {', '.join(map(str, UNKNOWN_VALUES))}, not {unknown}.")
    # The mask is 0 there already.
    return mask if unknown == 0 else np.where(covered, mask, np.uint8(unknown))


def plane_png(plane: NDArray[np.bool_]) -> bytes:
    """A plane ``(H, W)`` bool as a PNG of one bit a pixel."""
    return _png(Image.fromarray(plane))


def gray_png(plane: NDArray[np.float32]) -> bytes:
    """Values ``(H, W)`` of 0..1 as an 8-bit greyscale PNG."""
    return _png(Image.fromarray(np.round(np.clip(plane, 0, 1) * 255).astype(np.uint8)))


def overlay_png(
    parsing: Parsing,
    opacity: float = 0.6,
    hidden: Collection[int] = render.HIDDEN_BY_DEFAULT,
) -> bytes:
    """The photo with its class colours over it, PNG at the photo's resolution."""
    return picture_png(render.overlay(parsing.image, parsing.mask, opacity, hidden))


def picture_png(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels ``(H, W, 3)`` or ``(H, W, 4)`` as PNG."""
    return _png(Image.fromarray(pixels))


def photo_jpeg(pixels: NDArray[np.uint8], quality: int = 90) -> bytes:
    """A photo ``(H, W, 3)`` as JPEG."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format="JPEG", quality=quality)
    return out.getvalue()


def table_csv(table: pd.DataFrame, float_format: str = "%.6g") -> bytes:
    """A table as UTF-8 CSV with a header, without a byte-order mark.

    Spreadsheets take a text that begins like a formula for one, and file names can: such a text
    gets an apostrophe before it (OWASP, "CSV Injection"). Numbers stay numbers.
    """
    safe = table.rename(columns=_no_formula)
    for place, kind in enumerate(safe.dtypes):
        if isinstance(kind, pd.StringDtype | pd.CategoricalDtype) or is_object_dtype(kind):
            safe.isetitem(place, [_no_formula(value) for value in safe.iloc[:, place]])
    return safe.to_csv(index=False, float_format=float_format).encode("utf-8", "backslashreplace")


def with_mark(csv: bytes) -> bytes:
    """A CSV that Excel reads as UTF-8: with a byte-order mark."""
    return codecs.BOM_UTF8 + csv


def regions_csv(regions: pd.DataFrame) -> bytes:
    """Measurements as UTF-8 CSV with a header."""
    return table_csv(regions)


def regions_json(regions: pd.DataFrame, parsing: Parsing) -> bytes:
    """Measurements as JSON: the image's size, the weights, and one object a region.

    ``parsed_px`` is how many of the image's pixels the network looked at.
    """
    height, width = parsing.mask.shape
    records = regions.astype(object).where(regions.notna(), None).to_dict(orient="records")
    document = {
        "image": {"width": width, "height": height, "parsed_px": parsing.parsed_px},
        "weights": parsing.weights,
        "regions": records,
    }
    return json.dumps(document, indent=1, default=_plain).encode()


def timings_csv(parsing: Parsing) -> bytes:
    """Stages and their milliseconds as UTF-8 CSV with a header."""
    rows = pd.DataFrame(
        {"stage": list(parsing.timings), "milliseconds": list(parsing.timings.values())}
    )
    return table_csv(rows, "%.3f")


def cut_out_png(
    parsing: Parsing, classes: Collection[int], soft: bool = False, trim: bool = True
) -> bytes:
    """Regions of a photo on transparency, RGBA PNG.

    Args:
        parsing: the parsed photo.
        classes: ids of the classes to keep.
        soft: take the edge from the probabilities instead of the labels.
        trim: leave away rows and columns that are transparent throughout.

    Raises:
        ValueError: none of the classes is in the photo.
    """
    hard = np.isin(parsing.mask, list(classes))
    if not hard.any():
        raise ValueError("None of these regions is in the photo.")
    alpha = hard.astype(np.float32)
    if soft:
        alpha = np.clip(sum(parsing.probability(c) for c in classes), 0.0, 1.0)
    rgba = render.cut_out(parsing.image, alpha)
    if trim:
        rows, columns = (np.flatnonzero((rgba[..., 3] > 0).any(axis=axis)) for axis in (1, 0))
        rgba = rgba[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return _png(Image.fromarray(rgba))


def coco_json(parsing: Parsing, file_name: str) -> bytes:
    """Regions as COCO annotations with compressed RLE; background is left out.

    There is one annotation for each region of each face, whose number stands under ``face``, which
    COCO's tools pass over; of a photo without a face, one a region.

    ``pycocotools.mask.decode`` turns each ``segmentation`` back into the region's pixels. They are
    no crowds although RLE is their form: an evaluation passes over crowds.

    Args:
        parsing: the parsed photo.
        file_name: the photo's own.
    """
    from pycocotools import mask as rle

    height, width = parsing.mask.shape
    annotations: list[dict[str, Any]] = []
    for face_id, class_id, mask in _instances(parsing):
        region = np.asfortranarray(mask == class_id, dtype=np.uint8)
        encoded = rle.encode(region)
        annotations.append(
            {
                "id": len(annotations) + 1,
                "image_id": 1,
                "category_id": class_id,
                **({} if face_id is None else {"face": face_id}),
                "segmentation": {
                    "size": [height, width],
                    "counts": encoded["counts"].decode("ascii"),
                },
                "area": int(rle.area(encoded)),
                "bbox": [float(v) for v in rle.toBbox(encoded)],
                "iscrowd": 0,
            }
        )
    document = {
        "images": [{"id": 1, "file_name": file_name, "width": width, "height": height}],
        "categories": [
            {"id": c.id, "name": c.name, "supercategory": c.group}
            for c in CLASSES
            if c.id != BACKGROUND
        ],
        "annotations": annotations,
    }
    return json.dumps(document).encode()


def _instances(parsing: Parsing) -> Iterator[tuple[int | None, int, NDArray[np.uint8]]]:
    """Each region of each face: the face's id, the class, and a mask ``(H, W)`` that has it."""
    if len(parsing.faces) < 2:
        alone = parsing.faces[0].id if parsing.faces else None
        yield from ((alone, c, parsing.mask) for c in parsing.classes if c != BACKGROUND)
        return
    for face in parsing.faces:
        mask = face.mask
        yield from ((face.id, int(c), mask) for c in np.unique(face.labels) if c != BACKGROUND)


def files_zip(
    files: Mapping[str, Callable[[], bytes]],
    progress: Callable[[float, str], object] | None = None,
) -> bytes:
    """Files by their name as a zip, each made when its turn comes.

    Args:
        progress: called before each file with the share done, 0..1, and the file's name; at the
            end with 1 and no name.
    """
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for done, (name, make) in enumerate(files.items()):
            if progress:
                progress(done / len(files), name)
            # PNGs are compressed already.
            kind = zipfile.ZIP_STORED if name.endswith(".png") else zipfile.ZIP_DEFLATED
            archive.writestr(name, make(), kind)
    if progress:
        progress(1.0, "")
    return out.getvalue()


def bundle(
    parsing: Parsing, regions: pd.DataFrame, stem: str, photo_name: str, unknown: int = 0
) -> dict[str, Callable[[], bytes]]:
    """Everything about one photo: what makes each file, by its name, for ``files_zip``.

    Args:
        parsing: the parsed photo.
        regions: its ``measure_regions``.
        stem: the name of the files' folder.
        photo_name: the photo's own file name, for COCO.
        unknown: as ``mask_png`` takes it.
    """
    files: dict[str, Callable[[], bytes]] = {
        "mask.png": lambda: mask_png(parsing, unknown),
        "overlay.png": lambda: overlay_png(parsing),
        "confidence.png": lambda: gray_png(parsing.confidence),
        "regions.csv": lambda: with_mark(regions_csv(regions)),
        "regions.json": lambda: regions_json(regions, parsing),
        "coco.json": lambda: coco_json(parsing, photo_name),
        "timings.csv": lambda: with_mark(timings_csv(parsing)),
    }
    for class_id in parsing.classes:
        if class_id != BACKGROUND:
            make = partial(cut_out_png, parsing, (class_id,))
            files[f"regions/{CLASSES[class_id].name}.png"] = make
    return {f"{stem}/{name}": make for name, make in files.items()}


def _no_formula(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _plain(value: object) -> object:
    """numpy's scalars as Python's, for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no place in JSON")


def _png(image: Image.Image, pnginfo: PngInfo | None = None) -> bytes:
    out = io.BytesIO()
    image.save(out, format="PNG", pnginfo=pnginfo, compress_level=4)
    return out.getvalue()
