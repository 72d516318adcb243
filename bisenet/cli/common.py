"""What several commands do alike."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


def numbers(text: str) -> tuple[int, ...]:
    """An option's whole numbers, separated by commas."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list such as 256,512") from error


def spread(items: Sequence[T], limit: int | None) -> Sequence[T]:
    """``--limit`` of the items, from the first to the last at even distances; all without it.

    Raises:
        ValueError: the limit is less than 1.
    """
    if limit is not None and limit < 1:
        raise ValueError("--limit must be 1 or more.")
    if limit is None or limit >= len(items):
        return items
    return [items[i * len(items) // limit] for i in range(limit)]


def say(line: str) -> None:
    """A line of progress in place of the last one, where a person watches."""
    if sys.stderr.isatty():
        print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)


def given_options(args: argparse.Namespace, config: type) -> dict[str, Any]:
    """The options that a dataclass has a field for, where they were given."""
    names = {field.name for field in dataclasses.fields(config)}
    return {k: v for k, v in vars(args).items() if k in names and v is not None}


def check_resume(checkpoint: Path, resume: bool, overwrites: bool = True) -> None:
    """Refuse to resume from nothing, or to overwrite a checkpoint unasked.

    Raises:
        ValueError: one of them.
    """
    if checkpoint.exists() and overwrites and not resume:
        raise ValueError(f"{checkpoint} exists: add --resume to go on, or choose another --out.")
    if resume and not checkpoint.exists():
        raise ValueError(f"{checkpoint} does not exist: there is nothing to resume.")
