"""``python -m bisenet weights list | add FILE | quantise --data DIR``."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "List the selectable weights, or add a checkpoint."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="list | add | quantise")
    actions.add_parser("list", help="show every selectable set of weights")
    add = actions.add_parser("add", help="check, convert to safetensors and record a checkpoint")
    add.add_argument("file", type=Path, metavar="FILE", help="a .pth, .ckpt, .safetensors...")
    add.add_argument("--name", help="what to call it; by default the file's stem")
    quantise = actions.add_parser(
        "quantise", help="make the int8 form of the default weights (takes NNCF; minutes)"
    )
    quantise.add_argument("--data", required=True, type=Path, help="train faces: DIR or DIR/images")
    quantise.add_argument("--faces", type=int, default=100, help="how many to calibrate on")
    quantise.add_argument("--force", action="store_true", help="also where it is up to date")


def run(args: argparse.Namespace) -> int:
    """List, add or quantise."""
    from bisenet import weights

    if args.action == "quantise":
        return _quantise(args)
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


def _quantise(args: argparse.Namespace) -> int:
    from bisenet.training import quantise

    if quantise.is_current() and not args.force:
        print("The default weights already have an int8 form that was made from them.")
        return 0
    made = quantise.quantise(args.data, faces=args.faces)
    print(f"{made.path}: {made.size / 2**20:.1f} MB")
    if made.agreement is not None:
        print(f"{made.agreement:.2%} of the pixels of held-out faces are labelled as in f32")
    return 1 if (made.agreement or 1.0) < quantise.WANTED_AGREEMENT else 0
