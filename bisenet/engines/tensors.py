"""A checkpoint's tensors as numpy arrays; torch is imported only where the file's form needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bisenet.network import checkpoints, weights


def read_state(name: str) -> tuple[weights.WeightsInfo, Mapping[str, NDArray[np.float32]]]:
    """Tensors under the names of ``bisenet.network.bisenet.BiSeNet``, f32, and whose they are.

    An entry of the manifest was checked, tensor by tensor, when it was added; its hash says that it
    is still the same file. Any other file is checked here, which takes torch.

    Raises:
        WeightsError: unknown, altered, damaged, or for another network.
    """
    entry = weights.resolve(name)
    if entry.sha256 and entry.path.suffix == ".safetensors":
        content = _read_known(entry)
        if content is not None:
            return entry, content
    state, info = weights.read_checkpoint(entry.path)
    entry = replace(entry, backbone=info.backbone, spatial_path=info.spatial_path)
    return entry, {key: tensor.float().numpy() for key, tensor in state.items()}


def _read_known(entry: weights.WeightsInfo) -> Mapping[str, NDArray[np.float32]] | None:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    weights.check_hash(entry)
    try:
        state = load_file(entry.path)
    except (SafetensorError, TypeError, KeyError):  # a number format that numpy lacks, as bf16
        return None
    layout = checkpoints.detect_layout(state)
    if layout is None:
        return None
    native = checkpoints.to_native(state, layout)
    return {
        key: value.astype(np.float32)
        for key, value in native.items()
        if not key.endswith("num_batches_tracked")
    }
