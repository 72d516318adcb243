"""The log of parses: how long each took, and nothing about whose face it was.

No image, name, hash or address is kept. In memory the newest runs stay until the process ends;
with ``BISENET_STATE_DIR`` set, an SQLite file there keeps them across restarts.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import pandas as pd

from bisenet.runtime.paths import state_dir

if TYPE_CHECKING:
    from bisenet.parser import Parsing

IN_MEMORY = 5_000
ON_DISK = 50_000
_STAGES = "stages"


@dataclass(frozen=True)
class Run:
    """One parse. Times are milliseconds but ``at``, seconds since 1970.

    Attributes:
        session: a random mark of the session that asked, to tell its runs from others'.
        source: ``page``, ``api`` or ``batch``.
        warm_up: a parser's first parse, which also pays for memory and kernels.
        waited: milliseconds in the queue, not part of the stages.
        stages: stage to milliseconds, in the order in which they ran.
    """

    at: float
    session: str
    source: str
    weights: str
    engine: str
    precision: str
    device: str
    threads: int
    input_size: int
    megapixels: float
    faces: int
    warm_up: bool
    waited: float
    stages: Mapping[str, float] = field(repr=False)

    @property
    def total(self) -> float:
        """Milliseconds of all stages."""
        return sum(self.stages.values())


_COLUMNS = tuple(f.name for f in fields(Run))
_TYPES = {"str": "TEXT", "float": "REAL", "int": "INTEGER", "bool": "INTEGER"}
_SCHEMA = ", ".join(f"{f.name} {_TYPES.get(str(f.type), 'TEXT')} NOT NULL" for f in fields(Run))


class RunLog:
    """Keeps runs, newest last. Safe to use from several threads, and from several processes.

    A log that cannot be written never stops a parse: the run is kept in memory, and ``problem``
    says what is wrong.

    Args:
        path: the SQLite file, or None to keep runs in memory alone.
        capacity: how many runs are kept; the oldest go first.
    """

    def __init__(self, path: Path | None = None, capacity: int | None = None):
        self.path = path
        self.problem = ""
        self._capacity = capacity or (ON_DISK if path else IN_MEMORY)
        self._lock = threading.Lock()
        self._recent: deque[Run] = deque(maxlen=min(self._capacity, IN_MEMORY))
        self._listeners: list[Callable[[Run], None]] = []
        self._database = self._open(path) if path else None

    def listen(self, listener: Callable[[Run], None]) -> None:
        """Call ``listener`` with every run from here on, from the thread that records it."""
        self._listeners.append(listener)

    def record(self, run: Run) -> None:
        """Keep a run."""
        for listener in self._listeners:
            listener(run)
        with self._lock:
            self._recent.append(run)
            if self._database is None:
                return
            values = vars(run) | {_STAGES: json.dumps(dict(run.stages))}
            marks = ", ".join("?" for _ in _COLUMNS)
            try:
                with self._database as database:
                    cursor = database.execute(
                        f"INSERT INTO runs ({', '.join(_COLUMNS)}) VALUES ({marks})",
                        [values[name] for name in _COLUMNS],
                    )
                    oldest = (cursor.lastrowid or 0) - self._capacity
                    database.execute("DELETE FROM runs WHERE rowid <= ?", (oldest,))
            except sqlite3.Error as error:
                self.problem = f"Timings are kept in memory only: {error}."

    def record_parse(
        self, parsing: Parsing, input_size: int, source: str, session: str = "", waited: float = 0.0
    ) -> Run:
        """Keep what one parse took.

        Args:
            parsing: its timings are kept, its pixels are not.
            input_size: side of the network's input, pixels.
            source: ``page``, ``api`` or ``batch``.
            session: a random mark, never a name.
            waited: milliseconds in the queue.
        """
        height, width = parsing.mask.shape
        engine = parsing.engine
        run = Run(
            at=time.time(),
            session=session,
            source=source,
            weights=parsing.weights,
            engine=engine.name,
            precision=engine.precision,
            device=engine.device,
            threads=engine.threads,
            input_size=input_size,
            megapixels=round(height * width / 1e6, 2),
            faces=len(parsing.faces),
            warm_up=parsing.warm_up,
            waited=waited,
            stages=MappingProxyType(dict(parsing.timings)),
        )
        self.record(run)
        return run

    def runs(self) -> tuple[Run, ...]:
        """All kept runs, oldest first."""
        with self._lock:
            if self._database is not None and not self.problem:
                try:
                    rows = self._database.execute(
                        f"SELECT {', '.join(_COLUMNS)} FROM runs ORDER BY rowid"
                    ).fetchall()
                    return tuple(_from_row(row) for row in rows)
                except sqlite3.Error as error:
                    self.problem = f"Older timings cannot be read: {error}."
            return tuple(self._recent)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    def _open(self, path: Path) -> sqlite3.Connection | None:
        try:
            return _connect(path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                self.problem = f"Timings are kept in memory only: {error}."
                return None
        # Not a database, or a damaged one: it is set aside, not deleted, and a new one begins.
        path.replace(path.with_suffix(".damaged"))
        self.problem = ""
        return _connect(path)


def as_frame(runs: tuple[Run, ...]) -> pd.DataFrame:
    """One row a run; times in milliseconds, one column a stage named ``stage_NAME_ms``."""
    rows = []
    for run in runs:
        row = dict(vars(run))
        stages = row.pop(_STAGES)
        row["at"] = pd.Timestamp(run.at, unit="s", tz="UTC")
        row["waited_ms"] = row.pop("waited")
        row["total_ms"] = run.total
        rows.append(row | {f"stage_{name}_ms": ms for name, ms in stages.items()})
    return pd.DataFrame(rows)


@cache
def process_log() -> RunLog:
    """The one log of this process: on disk when ``BISENET_STATE_DIR`` is set, else in memory."""
    folder = state_dir()
    return RunLog(folder / "timings.sqlite" if folder else None)


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=2.0, check_same_thread=False)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        with database:
            database.execute(f"CREATE TABLE IF NOT EXISTS runs ({_SCHEMA})")
    except sqlite3.Error:
        database.close()
        raise
    return database


def _from_row(row: tuple[object, ...]) -> Run:
    values = dict(zip(_COLUMNS, row, strict=True))
    values["warm_up"] = bool(values["warm_up"])
    values[_STAGES] = MappingProxyType(json.loads(str(values[_STAGES])))
    return Run(**values)  # type: ignore[arg-type]
