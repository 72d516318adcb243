"""Files that are whole or not there: write beside, flush to disk, rename."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors.torch import save as to_safetensors
from torch import Tensor


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Call ``write`` with a file that takes the name ``path`` once it is safely on disk.

    A full disk or an interrupt leaves the old file, or none, and no scraps.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with beside.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the rename itself must survive a power cut too
    finally:
        os.close(folder)


def write_text(path: Path, text: str) -> None:
    """A text file, atomically."""
    write_atomically(path, lambda file: file.write(text.encode()))


def write_json(path: Path, value: object) -> None:
    """A JSON file for people to read, atomically."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Everything that a run needs to go on."""
    write_atomically(path, lambda file: torch.save(dict(state), file))


def load_checkpoint(path: Path) -> dict[str, Any]:
    """What ``save_checkpoint`` wrote, on the CPU.

    Raises:
        ValueError: the file is damaged or something else.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # torch raises many kinds for a damaged file
        raise ValueError(f"{path}: not a checkpoint of this program ({error})") from error
    if not isinstance(state, dict) or "model" not in state:
        raise ValueError(f"{path}: not a checkpoint of this program.")
    return state


def export_weights(
    path: Path, state: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Weights as safetensors in half precision, under the model's own names.

    Raises:
        ValueError: a value does not fit in half precision or is not finite.
    """
    halves = {}
    for name, tensor in state.items():
        if name.endswith("num_batches_tracked"):
            continue  # inference has no use for it
        half = tensor.detach().to("cpu", torch.float16).contiguous()
        if not torch.isfinite(half).all():
            raise ValueError(f"{name} does not fit in half precision.")
        halves[name] = half
    write_atomically(path, lambda file: file.write(to_safetensors(halves, dict(metadata or {}))))
