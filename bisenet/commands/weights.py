"""``python -m bisenet weights list | add FILE``."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "List the selectable weights, or add a checkpoint."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="list | add")
    actions.add_parser("list", help="show every selectable set of weights")
    add = actions.add_parser("add", help="check, convert to safetensors and record a checkpoint")
    add.add_argument("file", type=Path, metavar="FILE", help=".pth, .pt or .safetensors")
    add.add_argument("--name", help="what to call it; by default the file's stem")


def run(args: argparse.Namespace) -> int:
    """List or add."""
    from bisenet import weights

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
