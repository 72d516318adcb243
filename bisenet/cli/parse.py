"""``python -m bisenet parse PATH... --out DIR``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bisenet.batch.items import Parse
    from bisenet.batch.results_folder import Folder, Outcome
    from bisenet.images.archives import SkippedFile
    from bisenet.images.sources import Source

HELP = "Parse photos, folders and zips: an indexed PNG mask, an overlay and regions.csv for each."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="a photo, a folder, or a zip"
    )
    parser.add_argument(
        "--out",
        required=True,
        type=Path,
        metavar="DIR",
        help="a folder for each photo; photos that are finished there are skipped",
    )
    parser.add_argument(
        "--table",
        type=Path,
        metavar="FILE",
        help="a row a photo, face and region, of all that is finished in DIR: .parquet or .csv",
    )
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="photos at once")
    parser.add_argument("--framing", choices=("auto", "whole"), default="auto")
    parser.add_argument(
        "--unknown",
        type=int,
        choices=(0, 255),
        default=0,
        help="what mask.png has where no view looked: 0, as the background, or 255",
    )
    parser.add_argument("--weights", default="default", help="a name, or a checkpoint's path")
    parser.add_argument("--engine", default="auto")


def run(args: argparse.Namespace) -> int:
    """Parse every photo; a bad one is named and the rest go on. Exit code 1 if any failed."""
    from tqdm import tqdm

    from bisenet.batch import downloads
    from bisenet.batch.results_folder import Folder
    from bisenet.images.archives import SkippedFile
    from bisenet.images.sources import from_paths
    from bisenet.parse_queue import unqueued
    from bisenet.parser import FaceParser

    if args.workers < 1:
        raise ValueError(f"--workers must be at least 1, not {args.workers}.")
    if args.table is not None:
        downloads.check_table_path(args.table)
    parser = FaceParser(args.weights, args.engine)
    settings = {"weights": parser.weights.name, "framing": args.framing}
    folder = Folder(args.out, settings, args.unknown)
    counts = {"parsed": 0, "failed": 0, "before": 0}
    began = time.perf_counter()
    with ExitStack() as stack:
        found = from_paths(args.paths, stack)
        for bad in found.refused:
            print(f"{bad.name}: {bad.reason}", file=sys.stderr)
        for other in found.skipped:
            print(f"{other.name}: {other.reason}", file=sys.stderr)
        counts["failed"] = len(found.refused)
        if not found.sources and not found.refused:
            raise ValueError(f"There are no photos in {', '.join(map(str, args.paths))}.")
        # Drawn on a terminal alone: elsewhere there is a line a photo.
        bar = stack.enter_context(
            tqdm(total=len(found.sources), unit="photo", disable=None, dynamic_ncols=True)
        )
        outcomes = _outcomes(
            found.sources,
            folder,
            unqueued(lambda photo: parser.parse(photo, args.framing)),
            args.workers,
        )
        for source, outcome in outcomes:
            bar.update()
            if isinstance(outcome, SkippedFile):
                counts["failed"] += 1
                bar.set_postfix(failed=counts["failed"])
                tqdm.write(f"{source.name}: {outcome.reason}", file=sys.stderr)
                continue
            for notice in outcome.notices:
                tqdm.write(f"{source.name}: {notice}", file=sys.stderr)
            counts["before" if outcome.resumed else "parsed"] += 1
            if bar.disable and not outcome.resumed:
                what = f"{outcome.regions} regions, {outcome.milliseconds:.0f} ms"
                print(f"{source.name}: {what} -> {outcome.folder}")
    seconds = time.perf_counter() - began
    _summary(counts, seconds, args.workers, str(parser.engine))
    if args.table is not None:
        table = folder.table()
        downloads.write_table(table, args.table)
        print(f"{len(table):,} rows of {table['photo'].nunique():,} photos -> {args.table}")
    return 1 if counts["failed"] else 0


def _outcomes(
    sources: Sequence[Source], folder: Folder, parse: Parse, workers: int
) -> Iterator[tuple[Source, Outcome | SkippedFile]]:
    """What became of each photo, as they end. Threads: the engine lets go of Python's lock."""
    from concurrent.futures import ThreadPoolExecutor, as_completed

    from bisenet.batch.results_folder import ResultsError
    from bisenet.batch.runner import unforeseen
    from bisenet.images.archives import ArchiveError, SkippedFile
    from bisenet.images.decode import ImageError

    def one(source: Source) -> Outcome | SkippedFile:
        try:
            return folder.finish(source, parse)
        except (ImageError, ArchiveError, ResultsError) as error:
            return SkippedFile(source.name, str(error))
        except OSError:  # a full disk fails every photo: that ends the run
            raise
        except Exception as error:
            return unforeseen(source.name, error)

    pool = ThreadPoolExecutor(workers)
    try:
        futures = {pool.submit(one, source): source for source in sources}
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _summary(counts: dict[str, int], seconds: float, workers: int, engine: str) -> None:
    before = f", {counts['before']} finished before" if counts["before"] else ""
    rate = f", {counts['parsed'] / seconds:.2f} photos/s" if counts["parsed"] else ""
    who = f" with {workers} workers" if workers > 1 else ""
    print(f"{counts['parsed']} parsed, {counts['failed']} failed{before}{rate}{who} ({engine})")
