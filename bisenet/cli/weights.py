"""``python -m bisenet weights list | add FILE | quantise [NAME] --data DIR | export NAME``."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "List the selectable weights, add a checkpoint, make int8, or export a network."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(
        dest="action", required=True, metavar="list | add | quantise | export"
    )
    actions.add_parser("list", help="show every selectable set of weights")
    add = actions.add_parser("add", help="check, convert to safetensors and record a checkpoint")
    add.add_argument("file", type=Path, metavar="FILE", help="a .pth, .ckpt, .safetensors...")
    add.add_argument("--name", help="what to call it; by default the file's stem")
    quantise = actions.add_parser(
        "quantise", help="make the int8 form of weights (takes NNCF; a minute)"
    )
    quantise.add_argument("name", nargs="?", default="default", help="a name of weights list")
    quantise.add_argument("--data", required=True, type=Path, help="train faces: DIR or DIR/images")
    quantise.add_argument("--faces", type=int, default=100, help="how many to calibrate on")
    quantise.add_argument("--force", action="store_true", help="also where it is up to date")
    export = actions.add_parser("export", help="write a network as ONNX or OpenVINO, and check it")
    export.add_argument("name", nargs="?", default="default", help="a name, or a file's path")
    export.add_argument("--onnx", type=Path, metavar="FILE", help="NAME.onnx")
    export.add_argument("--openvino", type=Path, metavar="FILE", help="NAME.xml, a .bin beside it")


def run(args: argparse.Namespace) -> int:
    """List, add, quantise or export."""
    from bisenet.network import weights

    if args.action == "quantise":
        return _quantise(args)
    if args.action == "export":
        return _export(args)
    if args.action == "add":
        entry = weights.add(args.file, args.name)
        print(f"Added {entry.name}: {entry.backbone}, {entry.classes} classes, {entry.path}")
        return 0
    for position, entry in enumerate(weights.catalog()):
        score = f"mIoU {entry.miou:.3f}, F1 {entry.mean_f1:.3f}" if entry.miou else "not scored"
        default = "  (default)" if position == 0 else ""
        print(f"{entry.name}{default}\n    {entry.backbone}, {entry.classes} classes, {score}")
        print(f"    {entry.made}\n    licence: {entry.licence}\n    sha256 {entry.sha256}")
    return 0


def _export(args: argparse.Namespace) -> int:
    from bisenet.engines import exported

    if args.onnx is None and args.openvino is None:
        raise ValueError("Name a file: --onnx NAME.onnx, --openvino NAME.xml, or both.")
    status = 0
    for path, suffix, write in (
        (args.onnx, ".onnx", exported.export_onnx),
        (args.openvino, ".xml", exported.export_openvino),
    ):
        if path is None:
            continue
        if path.suffix != suffix:
            raise ValueError(f"{path}: the file's name must end in {suffix}.")
        if not path.parent.is_dir():
            raise ValueError(f"{path.parent} is no folder.")
        write(args.name, path)
        off = exported.difference(args.name, path)
        print(f"{path}: read back, its logits differ from torch's by {off:.1e} of their norm")
        status |= off > exported.TOLERANCE
    return int(status)


def _quantise(args: argparse.Namespace) -> int:
    from bisenet.network.weights import resolve
    from bisenet.training import quantise

    name = resolve(args.name).name
    if quantise.is_current(args.name) and not args.force:
        print(f"{name} already has an int8 form that was made from it.")
        return 0
    made = quantise.quantise(args.data, args.name, faces=args.faces)
    print(f"{made.path}: {made.size / 2**20:.1f} MB")
    if made.agreement is not None:
        print(f"{made.agreement:.2%} of the pixels of held-out faces are labelled as in f32")
    return 1 if (made.agreement or 1.0) < quantise.WANTED_AGREEMENT else 0
