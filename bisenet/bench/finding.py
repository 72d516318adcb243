"""What finding costs: CPU time of the search, beside that of a portrait's whole parse."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bisenet.images import samples
from bisenet.parser import FaceParser

# What the other photos' searches are measured against.
PORTRAIT = "portrait, 2 megapixels"
RUNS = 7


@dataclass(frozen=True)
class FindingCost:
    """Medians of CPU time, milliseconds.

    Attributes:
        photo: which photo.
        megapixels: its size.
        faces: how many were found in it.
        find: the search alone.
        parse: a whole parse of ``PORTRAIT``, measured in turn with it.
    """

    photo: str
    megapixels: float
    faces: int
    find: float
    parse: float

    def as_row(self) -> dict[str, Any]:
        """Flat, with units in the names."""
        return {
            "photo": self.photo,
            "megapixels": self.megapixels,
            "faces": self.faces,
            "find_cpu_ms": round(self.find, 1),
            "portrait_parse_cpu_ms": round(self.parse, 1),
            "parses": round(self.find / self.parse, 3),
        }


def photos() -> dict[str, NDArray[np.uint8]]:
    """Portraits, photos without a face, and a panorama with three, by name."""
    from skimage import data

    face, scene = samples.astronaut(), Image.fromarray(data.coffee())
    small = face.crop((134, 8, 314, 208)).resize((140, 156))
    panorama = _things(12_000, 300)
    for x in (200, 6000, 11_700):
        panorama.paste(small, (x, 70))
    named = {
        PORTRAIT: face.resize((1414, 1414)),
        "portrait, 512 pixels": face,
        "portrait, 12 megapixels": face.resize((3464, 3464)),
        "no face, 512 pixels": scene.resize((512, 384)),
        "no face, 2 megapixels": _things(1632, 1224),
        "coins, 2 megapixels": Image.fromarray(data.coins()).convert("RGB").resize((1632, 1224)),
        "no face, 12 megapixels": _things(4000, 3000),
        "no face, 24 megapixels": _things(6000, 4000),
        "panorama, 12,000 x 300": panorama,
    }
    return {name: np.asarray(photo) for name, photo in named.items()}


def finding_costs(
    parser: FaceParser, runs: int = RUNS, say: Callable[[str], None] = lambda _: None
) -> list[FindingCost]:
    """Search each photo and parse the portrait, in turn; the first round is left out.

    Args:
        say: called with what is being measured.
    """
    pictures = photos()
    costs = []
    for name, pixels in pictures.items():
        say(name)
        find, parse = [], []
        found = 0
        for run in range(runs + 1):
            started = time.process_time()
            found = parser.count_faces(pixels)
            middle = time.process_time()
            parser.parse(pictures[PORTRAIT])
            if run:
                find.append(1000 * (middle - started))
                parse.append(1000 * (time.process_time() - middle))
        megapixels = round(pixels.shape[0] * pixels.shape[1] / 1e6, 1)
        costs.append(
            FindingCost(name, megapixels, found, float(np.median(find)), float(np.median(parse)))
        )
    return costs


def as_text(report: Mapping[str, Any]) -> str:
    """The costs as a table in Markdown."""
    lines = [
        f"{report['engine']}; CPU time, medians of {report['runs']}",
        "",
        "| photo | faces | finding, ms | a portrait's parse, ms | parses |",
        "|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row['photo']} | {row['faces']} | {row['find_cpu_ms']:,.0f} | "
        f"{row['portrait_parse_cpu_ms']:.0f} | {row['parses']:.2f} |"
        for row in report["finding"]
    ]
    return "\n".join(lines)


def _things(width: int, height: int) -> Image.Image:
    """A photo without a face: pictures of things side by side."""
    from skimage import data

    grass = np.repeat(data.grass()[..., None], 3, axis=2)
    pictures = [Image.fromarray(p) for p in (data.coffee(), data.rocket(), grass)]
    photo = Image.new("RGB", (width, height))
    for row, y in enumerate(range(0, height, 400)):
        x = 0
        while x < width:
            picture = pictures[(row + x) % 3]
            tile = picture.resize((round(picture.width * 400 / picture.height), 400))
            photo.paste(tile, (x, y))
            x += tile.width
    return photo
