"""Face parsing with BiSeNet.

    from bisenet import FaceParser, load_image

    parsing = FaceParser().parse(load_image("portrait.jpg"))
    parsing.mask        # (H, W) uint8, class ids

Importing the package is cheap: torch loads when a model or an engine is opened.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bisenet.classes import CLASSES as CLASSES
    from bisenet.images.decode import load_image as load_image
    from bisenet.measure.regions import measure_regions as measure_regions
    from bisenet.network.bisenet import BiSeNet as BiSeNet
    from bisenet.network.weights import load_model as load_model
    from bisenet.parser import FaceParser as FaceParser
    from bisenet.parser import Parsing as Parsing

_HOMES = {
    "BiSeNet": "bisenet.network.bisenet",
    "CLASSES": "bisenet.classes",
    "FaceParser": "bisenet.parser",
    "Parsing": "bisenet.parser",
    "load_image": "bisenet.images.decode",
    "load_model": "bisenet.network.weights",
    "measure_regions": "bisenet.measure.regions",
}

__all__ = [
    "CLASSES",
    "BiSeNet",
    "FaceParser",
    "Parsing",
    "load_image",
    "load_model",
    "measure_regions",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'bisenet' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
