"""Networks to begin a run with: random, from weights, or with a backbone trained elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from bisenet.classes import NUM_CLASSES
from bisenet.network.bisenet import BiSeNet
from bisenet.network.weights import WeightsError, file_hash, load_model
from bisenet.training.recipe import NetworkSpec


def build(spec: NetworkSpec, folders: Sequence[Path]) -> BiSeNet:
    """The network that a run begins with.

    Args:
        folders: where files that the specification names are looked for.

    Raises:
        WeightsError: a file is missing, damaged, for another network, or not the one whose hash
            the specification gives.
    """
    if spec.start is not None:
        path = find_file(spec.start, folders)
        _check_hash(path, spec.start_sha256)
        model = load_model(path or spec.start)
        if model.backbone_name != spec.backbone or (
            (model.spatial_path is not None) != spec.spatial_path
        ):
            raise WeightsError(
                f"{spec.start} holds a {model.backbone_name}"
                f"{' with' if model.spatial_path is not None else ' without'} a spatial path, "
                "not the network of this run."
            )
        return model
    model = BiSeNet(NUM_CLASSES, spec.backbone, spatial_path=spec.spatial_path)
    if spec.backbone_weights is not None:
        path = find_file(spec.backbone_weights, folders)
        if path is None:
            raise WeightsError(f"{spec.backbone_weights} does not exist.")
        _check_hash(path, spec.backbone_sha256)
        print(take_backbone(model, path), file=sys.stderr, flush=True)
    return model


def load_from(name: str, folders: Sequence[Path]) -> BiSeNet:
    """Weights by a file's name in one of the folders, a path, or a name of the manifest.

    Raises:
        WeightsError: there are none, or they are damaged.
    """
    return load_model(find_file(name, folders) or name)


def find_file(name: str, folders: Sequence[Path]) -> Path | None:
    """The first file of this name, as given or in one of the folders; None without one."""
    return next((p for p in (Path(name), *(f / name for f in folders)) if p.is_file()), None)


def _check_hash(path: Path | None, wanted: str | None) -> None:
    if wanted is not None and path is not None and file_hash(path) != wanted.lower():
        raise WeightsError(f"{path.name} is not the file that the recipe names (its SHA-256).")


def take_backbone(model: BiSeNet, path: Path) -> str:
    """Copy what fits, by name and shape, from a backbone's weights into the network's backbone.

    Args:
        model: changed in place.
        path: safetensors, .pth or .pt, with torchvision's names (``layer1.0.conv1.weight``).

    Returns:
        A sentence on what was taken and what starts at random.

    Raises:
        WeightsError: the file cannot be read, or nothing in it fits.
    """
    from bisenet.network.weights import read_tensors

    tensors = read_tensors(path)
    backbone: nn.Module = model.context_path.backbone
    own = backbone.state_dict()
    learned = {k for k in own if not k.endswith("num_batches_tracked")}
    fits = {k: v.float() for k, v in tensors.items() if k in learned and v.shape == own[k].shape}
    if not fits:
        raise WeightsError(f"{path.name}: no tensor has a name and shape of this backbone.")
    backbone.load_state_dict(fits, strict=False)
    rest = sorted(learned - fits.keys())
    unused = sorted(k for k in tensors.keys() - fits.keys() if not k.endswith("_tracked"))
    said = f"{path.name}: {len(fits)} of the backbone's {len(learned)} tensors taken"
    said += f"; at random: {', '.join(rest)}" if rest else "; none at random"
    return said + (f"; not used: {', '.join(unused)}." if unused else ".")
