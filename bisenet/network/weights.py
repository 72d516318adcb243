"""Which weights exist, where they are, and how any published checkpoint becomes one of them.

Shipped weights stand in ``weights/manifest.toml``; those that a person adds, in
``weights/local/manifest.toml`` beside them. ``BISENET_WEIGHTS_DIR`` names another folder.
"""

from __future__ import annotations

import hashlib
import pickle
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bisenet.classes import NUM_CLASSES
from bisenet.network import checkpoints
from bisenet.network.foreign_files import what_it_is
from bisenet.runtime.atomic import write_atomically, write_text
from bisenet.runtime.paths import WEIGHTS
from bisenet.runtime.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor

    from bisenet.network.bisenet import BiSeNet

# Of files that may hold a checkpoint, in small letters; ``.pth.tar`` is a pickle all the same.
SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt", ".bin", ".pth.tar", ".pt.tar")
# Where training scripts put the weights. The averaged ones come first: they are what is scored.
_NESTED_KEYS = (
    *("state_dict_ema", "model_ema", "params_ema", "ema_state_dict", "ema"),
    *("state_dict", "model_state_dict", "model", "params", "net"),
)
_NESTED_DEPTH = 3
# What scripts save beside the weights and torch does not load by itself. All that it makes is an
# empty stand-in: nothing of these modules runs, whatever the file asks of them.
_EXTRAS = (
    *("numpy.dtype", "numpy.ndarray"),
    *(f"numpy.{core}.multiarray.scalar" for core in ("core", "_core")),
    *(f"numpy.{core}.multiarray._reconstruct" for core in ("core", "_core")),
    *(f"numpy.{core}.numeric._frombuffer" for core in ("core", "_core")),
    "argparse.Namespace",
    *(f"pathlib.{kind}" for kind in ("PosixPath", "WindowsPath", "PurePosixPath")),
)


class WeightsError(ValueError):
    """Weights that cannot be used; the message is a sentence for people."""


@dataclass(frozen=True)
class WeightsInfo:
    """One entry of the manifest. ``sha256`` is empty for a file that is not in it.

    ``int8_file`` is the network quantised to int8, ``int8_sha256`` that file's own hash, and
    ``int8_of`` the ``sha256`` of the weights that it was made from. Logits are divided by
    ``temperature`` before they become probabilities (Guo et al., "On Calibration of Modern Neural
    Networks", ICML 2017), which changes no label.
    """

    name: str
    path: Path
    sha256: str = ""
    backbone: str = "resnet18"
    spatial_path: bool = False
    classes: int = NUM_CLASSES
    input_size: int = 512
    miou: float | None = None
    mean_f1: float | None = None
    scored_on: str = ""
    licence: str = ""
    made: str = ""
    int8_file: str = ""
    int8_sha256: str = ""
    int8_of: str = ""
    temperature: float = 1.0


class _Extra:
    """Stands for a number, a setting or a path that was saved beside weights; holds nothing."""

    def __new__(cls, *_args: object) -> _Extra:
        return super().__new__(cls)

    def __init__(self, *_args: object) -> None:
        pass

    def __setstate__(self, _state: object) -> None:
        pass


def weights_dir() -> Path:
    """The folder that holds the shipped weights and their manifest."""
    return Path(Settings().weights_dir or WEIGHTS)


def catalog() -> tuple[WeightsInfo, ...]:
    """Every selectable set of weights: shipped first (the default is the first), then added ones.

    Raises:
        WeightsError: a manifest is unreadable.
    """
    entries: list[WeightsInfo] = []
    for folder in (weights_dir(), weights_dir() / "local"):
        entries.extend(_read_manifest(folder / "manifest.toml"))
    return tuple(entries)


def resolve(name: str | Path) -> WeightsInfo:
    """Find weights by name (``default`` is the first of the manifest) or by a file's path.

    Raises:
        WeightsError: there is neither such a name nor such a file.
    """
    entries = catalog()
    if name == "default" and entries:
        return entries[0]
    for entry in entries:
        if entry.name == name:
            return entry
    path = Path(name)
    if _suffix(path) and path.is_file():
        return WeightsInfo(name=path.name.removesuffix(_suffix(path)), path=path)
    known = ", ".join(entry.name for entry in entries) or "none"
    raise WeightsError(
        f"There are no weights {str(name)!r}. Known: {known}; or give a file's path."
    )


def load_model(name: str | Path = "default") -> BiSeNet:
    """Build the network that the weights are for, and load them.

    Args:
        name: a name of the manifest, or the path of a file with one of ``SUFFIXES``.

    Returns:
        A ``BiSeNet`` in eval mode, f32, on the CPU.

    Raises:
        WeightsError: unknown, altered (its hash differs), damaged, or for another network.
    """
    from bisenet.network.bisenet import BiSeNet

    entry = resolve(name)
    check_hash(entry)
    state, info = read_checkpoint(entry.path)
    model = BiSeNet(info.num_classes, info.backbone, spatial_path=info.spatial_path)
    model.load_state_dict({key: tensor.float() for key, tensor in state.items()}, strict=True)
    return model.eval()


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], checkpoints.CheckpointInfo]:
    """Read a checkpoint of any known layout, without running any code that it carries.

    Returns:
        The tensors under the model's own names, and what the file holds.

    Raises:
        WeightsError: not a checkpoint, damaged, or for another network; the sentence names the
            first wrong tensor.
    """
    state = read_tensors(path)
    try:
        info = checkpoints.inspect({key: tuple(tensor.shape) for key, tensor in state.items()})
    except checkpoints.CheckpointError as error:
        raise WeightsError(f"{path.name}: {error}") from error
    return checkpoints.to_native(state, info.layout), info


def add(source: str | Path, name: str | None = None) -> WeightsInfo:
    """Check a checkpoint, convert it to safetensors and make it selectable.

    Args:
        source: a file with one of ``SUFFIXES``.
        name: what to call it; by default the file's stem.

    Returns:
        The new entry.

    Raises:
        WeightsError: the file cannot be used, or the name is taken.
    """
    from safetensors.torch import save as to_bytes

    source = Path(source)
    stem = source.name.removesuffix(_suffix(source))
    name = name or re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-.")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise WeightsError(f"{name!r} is no name for weights: use letters, digits, '.', '_', '-'.")
    if name == "default" or any(entry.name == name for entry in catalog()):
        raise WeightsError(f"The name {name!r} is taken; choose another with --name.")
    state, info = read_checkpoint(source)
    if info.num_classes != NUM_CLASSES:
        raise WeightsError(
            f"{source.name} has {info.num_classes} classes; this project needs {NUM_CLASSES}."
        )
    broken = next((key for key, tensor in state.items() if not bool(tensor.isfinite().all())), None)
    if broken:
        raise WeightsError(
            f"{source.name}: {broken} holds values that are no numbers (NaN or inf)."
        )
    folder = weights_dir() / "local"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{name}.safetensors"
    # Clones, since two tensors may share their memory, which safetensors cannot say.
    content = to_bytes({key: tensor.contiguous().clone() for key, tensor in state.items()})
    write_atomically(target, lambda file: file.write(content))
    entry = WeightsInfo(
        name=name,
        path=target,
        sha256=file_hash(target),
        backbone=info.backbone,
        spatial_path=info.spatial_path,
        classes=info.num_classes,
        licence="unknown: that of its origin",
        made=f"added from {source.name} (layout {info.layout})",
    )
    _append(folder / "manifest.toml", entry)
    return entry


def check_hash(entry: WeightsInfo) -> None:
    """Make sure that a manifest's file is the one that was added; other files pass.

    Raises:
        WeightsError: it is another file, or cannot be read.
    """
    if entry.sha256 and file_hash(entry.path) != entry.sha256:
        raise WeightsError(
            f"{entry.path.name} is not the file that the manifest describes (its SHA-256 differs). "
            "Restore it, or add it again with: python -m bisenet weights add FILE"
        )


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}.") from error


def _read_manifest(path: Path) -> list[WeightsInfo]:
    if not path.is_file():
        return []
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("weights", [])
        for table in tables:
            if not float(table.get("temperature", 1)) > 0:
                raise ValueError("a temperature is more than 0")
        return [WeightsInfo(path=path.parent / table.pop("file"), **table) for table in tables]
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path.name} of the weights cannot be read: {error}.") from error


def _append(manifest: Path, entry: WeightsInfo) -> None:
    import tomli_w  # only needed to add weights: training must do without it

    table = {key: value for key, value in asdict(entry).items() if value not in (None, "")}
    table["file"] = table.pop("path").name
    text = manifest.read_text(encoding="utf-8") + "\n" if manifest.exists() else ""
    write_text(manifest, text + tomli_w.dumps({"weights": [table]}))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """A file's tensors under its own names, without running any code that it carries.

    Raises:
        WeightsError: not a checkpoint, damaged, or it holds more than tensors.
    """
    if not _suffix(path):
        raise WeightsError(f"{path.name} is not a checkpoint: use {', '.join(SUFFIXES)}.")
    if not path.is_file():
        raise WeightsError(f"{path} does not exist.")
    if path.stat().st_size == 0:
        raise WeightsError(f"{path.name} is empty (0 bytes).")
    try:
        mistaken = what_it_is(path)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}.") from error
    if mistaken:
        raise WeightsError(f"{path.name} is {mistaken}")
    safe = _suffix(path).lower() == ".safetensors"
    content = _read_safetensors(path) if safe else _read_pickle(path)
    return _only_tensors(path, _innermost(content))


def _suffix(path: Path) -> str:
    """The part of a file's name that is one of ``SUFFIXES``, as it is written; or nothing."""
    name = path.name.lower()
    longest = max((s for s in SUFFIXES if name.endswith(s)), key=len, default="")
    return path.name[len(name) - len(longest) :] if longest else ""


def _innermost(content: Any) -> Any:
    """The named tensors among all that a training script saved."""
    for _ in range(_NESTED_DEPTH):
        if not isinstance(content, Mapping):
            break
        nested = [content[k] for k in _NESTED_KEYS if isinstance(content.get(k), Mapping)]
        if not nested:
            break
        # An average may be kept in a form of its own: what has a network's names comes first.
        known = [
            inner
            for inner in nested
            if checkpoints.detect_layout(name for name in inner if isinstance(name, str))
        ]
        content = (known or nested)[0]
    return content


def _read_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(
            f"{path.name} is damaged or is no safetensors file ({error})."
        ) from error


def _read_pickle(path: Path) -> Any:
    import torch

    stand_ins: list[Any] = [(_Extra, name) for name in _EXTRAS]
    try:
        with torch.serialization.safe_globals(stand_ins):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # "Unsupported global", "Unsupported operand", "unsupported GLOBAL ... is blocked"
        if re.search(r"unsupported (?:global|operand)", str(error), re.IGNORECASE):
            wants = re.search(r"GLOBAL (\S+)", str(error))
            what = f" ({wants[1]})" if wants else ""
            raise WeightsError(
                f"{path.name} is refused: it holds more than weights and wants to run code{what}. "
                "Save the state_dict alone and add that."
            ) from error
        raise WeightsError(f"{path.name} is not a checkpoint, or is damaged.") from error
    except Exception as error:  # torch raises many kinds for a damaged file
        if "TorchScript" in str(error):
            raise WeightsError(
                f"{path.name} is a TorchScript program. Save the model's state_dict and add that."
            ) from error
        raise WeightsError(f"{path.name} is not a checkpoint, or is truncated.") from error


def _only_tensors(path: Path, content: Any) -> dict[str, Tensor]:
    import torch

    if not isinstance(content, Mapping) or not content:
        raise WeightsError(f"{path.name} holds no named tensors.")
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, torch.Tensor):
            raise WeightsError(f"{path.name}: {key!r} is not a tensor, so this is no state_dict.")
    return {key: tensor.detach() for key, tensor in content.items()}
