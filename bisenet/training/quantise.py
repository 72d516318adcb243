"""Post-training quantisation of weights to int8, at build time, with NNCF.

    python -m bisenet weights quantise --data FACES

Nothing of this runs in production: it writes one zip file beside the weights, and the manifest
records its hash and the hash of the weights that it was made from.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bisenet.engines import Engine, open_engine
from bisenet.engines.quantised import why_not_int8, write_quantised
from bisenet.engines.tensors import read_state
from bisenet.geometry.crops import normalise
from bisenet.images.decode import EXTENSIONS, load_image
from bisenet.network import weights
from bisenet.postprocess.logits import to_crop
from bisenet.runtime.atomic import write_text

CALIBRATION_FACES = 100
CHECK_FACES = 40
WANTED_AGREEMENT = 0.995
_SEED = 20

# Left in bf16: the first and the last convolution, where an error of the rounding goes straight to
# the pixels or comes straight from them, and the convolutions on pooled 1 x 1 features, which cost
# nothing.
_FLOATING = (
    "context_path.backbone.conv1",
    "context_path.arm16.attention",
    "context_path.arm32.attention",
    "context_path.conv_avg.conv",
    "fusion.squeeze",
    "fusion.excite",
    "head.classifier",
)


@dataclass(frozen=True)
class Quantised:
    """What came out: the file, its size in bytes, and the share of pixels labelled as in f32."""

    path: Path
    size: int
    agreement: float | None


def quantise(data: Path, name: str = "default", faces: int = CALIBRATION_FACES) -> Quantised:
    """Make the int8 form of weights and record it in their manifest.

    Args:
        data: a folder of faces that the weights were trained on, or its ``images`` folder. Where
            ``../val/images`` stands beside it, agreement with f32 is measured there.
        name: weights of a manifest, shipped or added.
        faces: how many faces to calibrate on, evenly spread, half of them varied.

    Raises:
        ValueError: there are no faces, NNCF is not installed, or no manifest has these weights.
        WeightsError: the weights cannot be loaded.
    """
    try:
        import nncf
    except ImportError as error:
        raise ValueError("Quantising takes NNCF: pip install -r requirements-dev.txt") from error
    import openvino as ov

    from bisenet.engines.openvino_graph import build_graph

    entry, state = read_state(name)
    if not entry.sha256:
        raise ValueError(
            f"{entry.path.name} is in no manifest, where its int8 form would be recorded. Add it "
            f"first: python -m bisenet weights add {entry.path.name}"
        )
    files = _spread(_images(data), faces)
    graph = build_graph(state, entry.backbone, entry.spatial_path)
    images = list(_calibration(files, entry.input_size))
    nodes = {node.get_friendly_name() for node in graph.get_ordered_ops()}
    quantised = nncf.quantize(
        graph,
        nncf.Dataset(images),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(images),
        ignored_scope=nncf.IgnoredScope(names=[name for name in _FLOATING if name in nodes]),
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            # The engine runs int8 only on CPUs with VNNI, which cannot overflow.
            overflow_fix=nncf.OverflowFix.DISABLE,
            # Measured on the prototype: with it, 0.2 points fewer of the pixels agree with f32.
            disable_bias_correction=True,
        ),
    )
    target = entry.path.with_name(f"{entry.path.stem}_int8.zip")
    with tempfile.TemporaryDirectory() as scratch:
        xml = Path(scratch) / "model.xml"
        ov.save_model(quantised, xml, compress_to_fp16=False)
        write_quantised(target, xml.read_bytes(), xml.with_suffix(".bin").read_bytes())
    record(entry.path.parent / "manifest.toml", entry, target)
    checks = data.parent / "val" if data.name != "images" else data.parent.parent / "val"
    agreement = None
    if checks.is_dir():
        engines = open_engine("openvino", name), open_engine("openvino-int8", name)
        agreement = agreement_of(*engines, _spread(_images(checks), CHECK_FACES), entry.input_size)
    return Quantised(target, target.stat().st_size, agreement)


def is_current(name: str = "default") -> bool:
    """Whether the weights already have an int8 form that was made from them and is whole."""
    entry = weights.resolve(name)
    if why_not_int8(entry):
        return False
    return weights.file_hash(entry.path.parent / entry.int8_file) == entry.int8_sha256


def agreement_of(reference: Engine, other: Engine, files: Sequence[Path], size: int) -> float:
    """Share of pixels, 0..1, that two engines label alike at the network's input size."""
    shares = []
    for file in files:
        crop = _square(file, size)[None]
        first, second = (
            to_crop(engine.infer_pixels(crop)[0], size).argmax(axis=0)
            for engine in (reference, other)
        )
        shares.append(float((first == second).mean()))
    return float(np.mean(shares))


def record(manifest: Path, entry: weights.WeightsInfo, target: Path) -> None:
    """Write the int8 file's name and hashes into the entry, leaving the rest of the text alone.

    Raises:
        ValueError: the manifest has no entry of this hash.
    """
    tables = re.split(r"(?m)^(?=\[\[weights\]\])", manifest.read_text(encoding="utf-8"))
    anchor = f'sha256 = "{entry.sha256}"\n'
    for number, table in enumerate(tables):
        if f"\n{anchor}" in table:
            table = re.sub(r"(?m)^int8_\w+ = .*\n", "", table)
            lines = (
                f'int8_file = "{target.name}"\n'
                f'int8_sha256 = "{weights.file_hash(target)}"\n'
                f'int8_of = "{entry.sha256}"\n'
            )
            tables[number] = table.replace(f"\n{anchor}", f"\n{anchor}{lines}")
            break
    else:
        raise ValueError(f"{manifest.name} has no weights of the hash {entry.sha256}.")
    write_text(manifest, "".join(tables))


def _images(data: Path) -> list[Path]:
    folder = data / "images" if (data / "images").is_dir() else data
    files = sorted(f for f in folder.glob("*") if f.suffix.lower().lstrip(".") in EXTENSIONS)
    if not files:
        raise ValueError(f"There are no photos in {folder}.")
    return files


def _spread(files: Sequence[Path], count: int) -> list[Path]:
    count = min(count, len(files))
    return [files[i * len(files) // count] for i in range(count)]


def _calibration(files: Sequence[Path], size: int) -> Iterator[NDArray[np.float32]]:
    """Faces as they are and, every second one, mirrored, scaled and lit differently."""
    rng = np.random.default_rng(_SEED)
    for number, file in enumerate(files):
        square = _square(file, size)
        yield normalise((_varied(square, rng) if number % 2 else square)[None])


def _varied(square: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    size = square.shape[0]
    rotation = cv2.getRotationMatrix2D(
        (size / 2, size / 2), rng.uniform(-15, 15), float(np.exp(rng.uniform(-0.4, 0.3)))
    )
    moved: Any = cv2.warpAffine(square, rotation, (size, size), borderMode=cv2.BORDER_REFLECT_101)
    lit = moved.astype(np.float32) * rng.uniform(0.6, 1.3) + rng.uniform(-20, 20)
    return np.ascontiguousarray(lit[:, :: rng.choice([-1, 1])].clip(0, 255).astype(np.uint8))


def _square(file: Path, size: int) -> NDArray[np.uint8]:
    pixels = np.asarray(load_image(file))
    if pixels.shape[:2] == (size, size):
        return pixels
    resized: NDArray[np.uint8] = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA)
    return resized
