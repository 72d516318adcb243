"""Checkpoints of a run, and the weights that it exports."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as to_safetensors
from torch import Tensor

from bisenet.runtime.atomic import write_atomically


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
