"""The parameter names of published face-parsing checkpoints, and what a file of weights holds.

A layout is a table of name prefixes, ours beside the file's, that is read in both directions: to
load a file, and to name a tensor as its file does when something is wrong with it. Names and shapes
are enough to tell what a file holds; what it ought to hold is asked of
``bisenet.network.bisenet.BiSeNet``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from bisenet.classes import NUM_CLASSES

if TYPE_CHECKING:
    from bisenet.network.bisenet import BackboneName

Shape = tuple[int, ...]
_T = TypeVar("_T")

# (our prefix, the file's prefix); the first match wins, so what is inside stands before its parent.
_FACE_PARSING_PYTORCH = (  # 79999_iter.pth and the like
    ("context_path.backbone.", "cp.resnet."),
    ("context_path.arm16.attention.", "cp.arm16.conv_atten."),
    ("context_path.arm16.attention_bn.", "cp.arm16.bn_atten."),
    ("context_path.arm32.attention.", "cp.arm32.conv_atten."),
    ("context_path.arm32.attention_bn.", "cp.arm32.bn_atten."),
    ("context_path.", "cp."),
    ("fusion.conv.", "ffm.convblk."),
    ("fusion.squeeze.", "ffm.conv1."),
    ("fusion.excite.", "ffm.conv2."),
    ("head.classifier.", "conv_out.conv_out."),
    ("head16.classifier.", "conv_out16.conv_out."),
    ("head32.classifier.", "conv_out32.conv_out."),
    ("head.", "conv_out."),
    ("head16.", "conv_out16."),
    ("head32.", "conv_out32."),
)
_YAKHYO = (  # resnet18.pt, resnet34.pt
    ("context_path.backbone.", "fpn.backbone."),
    ("context_path.arm16.attention.", "fpn.arm16.attention.0."),
    ("context_path.arm16.attention_bn.", "fpn.arm16.attention.1."),
    ("context_path.arm16.conv.conv.", "fpn.arm16.conv_block.conv."),
    ("context_path.arm16.conv.bn.", "fpn.arm16.conv_block.norm."),
    ("context_path.arm32.attention.", "fpn.arm32.attention.0."),
    ("context_path.arm32.attention_bn.", "fpn.arm32.attention.1."),
    ("context_path.arm32.conv.conv.", "fpn.arm32.conv_block.conv."),
    ("context_path.arm32.conv.bn.", "fpn.arm32.conv_block.norm."),
    ("context_path.conv_head16.bn.", "fpn.conv_head16.norm."),
    ("context_path.conv_head32.bn.", "fpn.conv_head32.norm."),
    ("context_path.conv_avg.bn.", "fpn.conv_avg.norm."),
    ("context_path.", "fpn."),
    ("fusion.conv.conv.", "ffm.conv_block.conv."),
    ("fusion.conv.bn.", "ffm.conv_block.norm."),
    ("fusion.squeeze.", "ffm.conv1."),
    ("fusion.excite.", "ffm.conv2."),
    ("head.conv.conv.", "conv_out.conv_block.conv."),
    ("head.conv.bn.", "conv_out.conv_block.norm."),
    ("head.classifier.", "conv_out.conv."),
    ("head16.conv.conv.", "conv_out16.conv_block.conv."),
    ("head16.conv.bn.", "conv_out16.conv_block.norm."),
    ("head16.classifier.", "conv_out16.conv."),
    ("head32.conv.conv.", "conv_out32.conv_block.conv."),
    ("head32.conv.bn.", "conv_out32.conv_block.norm."),
    ("head32.classifier.", "conv_out32.conv."),
)
LAYOUTS: dict[str, tuple[tuple[str, str], ...]] = {
    "native": (),
    "face-parsing.PyTorch": _FACE_PARSING_PYTORCH,
    "yakhyo/face-parsing": _YAKHYO,
}
_MARKERS = {"native": "context_path.", "face-parsing.PyTorch": "cp.", "yakhyo/face-parsing": "fpn."}
# What wrappers put before every name: DataParallel, torch.compile, and classes of people's own.
_WRAPPERS = re.compile(r"(?:(?:module|_orig_mod|model|net)\.)+")
_COUNTERS = {"n_averaged"}  # of torch.optim.swa_utils.AveragedModel, beside the weights
_UNUSED = "context_path.backbone.fc."  # the backbone's ImageNet classifier, carried along by some
_OPTIONAL = (
    ".num_batches_tracked"  # not in files older than torch 0.4.1; inference has no use for it
)


class CheckpointError(ValueError):
    """The file's tensors do not fit the network; the message names the first that does not."""


@dataclass(frozen=True)
class CheckpointInfo:
    """What a file of weights holds: a key of ``LAYOUTS`` and the arguments of ``BiSeNet``."""

    layout: str
    backbone: BackboneName
    spatial_path: bool
    num_classes: int


def detect_layout(names: Iterable[str]) -> str | None:
    """Which layout the tensors' names follow: a key of ``LAYOUTS``, or None."""
    bare = [_bare(name) for name in names]
    for layout, marker in _MARKERS.items():
        if any(name.startswith(marker) for name in bare):
            return layout
    return None


def to_native(state: Mapping[str, _T], layout: str) -> dict[str, _T]:
    """Rename a checkpoint's tensors (or their shapes) to the model's own names.

    Prefixes of wrappers, a wrapper's counter and the backbone's unused ``fc`` are dropped. The
    order stays.
    """
    theirs = [(file_prefix, ours) for ours, file_prefix in LAYOUTS[layout]]
    renamed = {_swap(_bare(name), theirs): value for name, value in state.items()}
    return {
        name: value
        for name, value in renamed.items()
        if not name.startswith(_UNUSED) and name not in _COUNTERS
    }


def inspect(shapes: Mapping[str, Shape], num_classes: int | None = NUM_CLASSES) -> CheckpointInfo:
    """Tell from tensor names and shapes what a checkpoint holds, and that it is whole.

    Args:
        shapes: the shape of every tensor in the file, by its name in the file.
        num_classes: the class count the file must have; None accepts any.

    Raises:
        CheckpointError: no known layout, or a tensor is missing, unexpected or of another shape;
            the message is a sentence for people and names the tensor as the file does.
    """
    if not shapes:
        raise CheckpointError("The file holds no tensors.")
    layout = detect_layout(shapes)
    if layout is None:
        raise CheckpointError(
            f"This is not a BiSeNet checkpoint: its first tensor is {next(iter(shapes))}, and no "
            f"name starts with {', '.join(_MARKERS.values())} as in the known ones."
        )
    first: dict[str, str] = {}
    for name in shapes:
        other = first.setdefault(_bare(name), name)
        if other != name:
            raise CheckpointError(
                f"The file holds two networks: {other} and {name}. Save one of them alone."
            )
    native = to_native(shapes, layout)
    backbone, spatial_path = _closest_network(native)
    count = num_classes or next(
        (native[name][0] for name in _CLASSIFIERS if native.get(name)), NUM_CLASSES
    )
    info = CheckpointInfo(layout, backbone, spatial_path, count)
    problem = first_problem(shapes, info)
    if problem:
        raise CheckpointError(problem)
    return info


def first_problem(shapes: Mapping[str, Shape], info: CheckpointInfo) -> str | None:
    """One sentence on the first tensor that keeps a file from being what ``info`` says, or None.

    Tensors are checked in the order in which the network uses them; the sentence calls a tensor by
    its name in the file, or by the name it would have there.
    """
    native = to_native(shapes, info.layout)
    wrappers = [name.removesuffix(_bare(name)) for name in shapes if _bare(name) not in _COUNTERS]
    wrapper = wrappers[0] if wrappers else ""
    network = f"BiSeNet with {info.backbone}" + (" and a spatial path" * info.spatial_path)
    expected = _expected_shapes(info.backbone, info.spatial_path, info.num_classes)
    for name, shape in expected.items():
        published = wrapper + _swap(name, LAYOUTS[info.layout])
        if name not in native:
            if name.endswith(_OPTIONAL):
                continue
            return f"{published} is missing: the file is truncated or holds another network."
        found = tuple(native[name])
        if found == shape:
            continue
        if name in _CLASSIFIERS and found[1:] == shape[1:]:
            return f"{published} has {found[0]} classes; this project needs {shape[0]}."
        return f"{published} has the shape {_text(found)}; a {network} needs {_text(shape)}."
    for published in shapes:
        # At most one name comes back: none where the tensor is dropped.
        if any(name not in expected for name in to_native({published: ()}, info.layout)):
            return f"{published} has no place in a {network}."
    return None


_CLASSIFIERS = tuple(f"{head}.classifier.weight" for head in ("head", "head16", "head32"))


def _bare(name: str) -> str:
    wrapped = _WRAPPERS.match(name)
    return name[wrapped.end() :] if wrapped else name


def _swap(name: str, prefixes: Iterable[tuple[str, str]]) -> str:
    for old, new in prefixes:
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name


def _text(shape: Shape) -> str:
    return " x ".join(map(str, shape)) or "of a single number"


@cache
def _expected_shapes(backbone: BackboneName, spatial_path: bool, classes: int) -> dict[str, Shape]:
    import torch  # only here: telling a layout from names needs no torch

    from bisenet.network.bisenet import BiSeNet

    with torch.device("meta"):
        model = BiSeNet(classes, backbone, spatial_path)
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def _closest_network(native: Mapping[str, Shape]) -> tuple[BackboneName, bool]:
    """The backbone, and whether with a spatial path, that fits most of the tensors.

    A file that lacks some tensors is still recognised, so that the error can name them.
    """
    from bisenet.network.bisenet import BACKBONES

    def misfits(network: tuple[BackboneName, bool]) -> int:
        expected = _expected_shapes(*network, NUM_CLASSES)
        shared = sum(name in native and tuple(native[name]) == expected[name] for name in expected)
        return len(expected) + len(native) - 2 * shared

    spatial_path = any(name.startswith("spatial_path.") for name in native)
    return min(((backbone, spatial_path) for backbone in BACKBONES), key=misfits)
