"""The command line: ``python -m bisenet COMMAND``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bisenet.cli import (
    benchmark,
    consistency,
    evaluate,
    label,
    parse,
    recall,
    train,
    train_finder,
    weights,
)

_COMMANDS = {
    "parse": parse,
    "evaluate": evaluate,
    "benchmark": benchmark,
    "consistency": consistency,
    "recall": recall,
    "label": label,
    "train": train,
    "train-finder": train_finder,
    "weights": weights,
}


def build_parser() -> argparse.ArgumentParser:
    """The argument parser with every command."""
    parser = argparse.ArgumentParser(prog="python -m bisenet", description="Face parsing.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in _COMMANDS.items():
        sub = commands.add_parser(name, help=module.HELP, description=module.HELP)
        module.add_arguments(sub)
        sub.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; errors that people can mend are one sentence on stderr and exit code 2."""
    args = build_parser().parse_args(argv)
    try:
        return int(args.run(args))
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("bisenet.training"):
            raise
        print(
            f"error: {args.command} needs bisenet.training, which the container image leaves out. "
            "Use a checkout of the repository.",
            file=sys.stderr,
        )
        return 2
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
