from __future__ import annotations

import dataclasses
import sqlite3
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bisenet.engines import EngineInfo
from bisenet.runlog import Run, RunLog, as_frame

RUN = Run(
    at=1_700_000_000.5,
    session="ab12",
    source="page",
    weights="w",
    engine="openvino",
    precision="int8",
    device="cpu",
    threads=2,
    input_size=512,
    megapixels=2.0,
    faces=1,
    warm_up=False,
    waited=1.5,
    stages={"crop": 1.0, "network": 10.0},
)


def parsing(warm_up: bool = False) -> Any:
    return SimpleNamespace(
        mask=np.zeros((1000, 2000), np.uint8),
        engine=EngineInfo("torch", "f32", "cpu", 1),
        weights="w",
        faces=(),
        timings={"network": 5.0},
        warm_up=warm_up,
    )


def test_what_is_written_is_read_again_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "timings.sqlite"
    log = RunLog(path)
    log.record(RUN)
    log.close()
    (run,) = RunLog(path).runs()
    assert run == RUN
    assert run.total == 11
    assert not log.problem


def test_memory_and_disk_are_bounded(tmp_path: Path) -> None:
    for log in (RunLog(capacity=3), RunLog(tmp_path / "t.sqlite", capacity=3)):
        for number in range(8):
            log.record(dataclasses.replace(RUN, at=float(number)))
        assert [run.at for run in log.runs()] == [5, 6, 7]


def test_what_a_parse_says_of_itself_is_kept() -> None:
    log = RunLog()
    for warm_up in (True, False):
        log.record_parse(parsing(warm_up), 512, "page")
    assert [run.warm_up for run in log.runs()] == [True, False]
    assert log.runs()[0].megapixels == 2.0


def test_nothing_about_the_photo_is_kept() -> None:
    names = {field.name for field in dataclasses.fields(Run)}
    assert names == {
        *("at", "session", "source", "weights", "engine", "precision", "device", "threads"),
        *("input_size", "megapixels", "faces", "warm_up", "waited", "stages"),
    }


def test_threads_write_at_once(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "t.sqlite")

    def write() -> None:
        for _ in range(20):
            log.record(RUN)

    writers = [threading.Thread(target=write) for _ in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(log.runs()) == 160
    assert not log.problem


def test_two_processes_share_the_file(tmp_path: Path) -> None:
    first, second = RunLog(tmp_path / "t.sqlite"), RunLog(tmp_path / "t.sqlite")
    first.record(RUN)
    second.record(RUN)
    assert len(first.runs()) == len(second.runs()) == 2


def test_a_damaged_file_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "timings.sqlite"
    path.write_bytes(b"this is no database" * 100)
    log = RunLog(path)
    log.record(RUN)
    assert len(log.runs()) == 1
    assert path.with_suffix(".damaged").exists()


def test_a_log_that_cannot_be_written_never_stops_a_parse(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "t.sqlite")
    with sqlite3.connect(tmp_path / "t.sqlite") as other:
        other.execute("DROP TABLE runs")
    log.record(RUN)
    assert "in memory only" in log.problem
    assert len(log.runs()) == 1


def test_a_folder_that_does_not_exist_is_said(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "no" / "t.sqlite")
    assert "in memory only" in log.problem
    log.record(RUN)
    assert len(log.runs()) == 1


def test_the_table_has_units_and_a_column_a_stage() -> None:
    log = RunLog()
    log.record(RUN)
    log.record(dataclasses.replace(RUN, stages={"find": 2.0}))
    table = as_frame(log.runs())
    assert table["total_ms"].tolist() == [11, 2]
    assert table["stage_network_ms"].tolist()[0] == 10
    assert str(table["at"].dtype).endswith("UTC]")
    assert as_frame(()).empty


@pytest.mark.parametrize("value", ["", "off"])
def test_the_state_folder_is_optional(
    value: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from bisenet.runtime import paths

    monkeypatch.setenv("BISENET_STATE_DIR", str(tmp_path / value) if value else "")
    assert paths.state_dir() == (tmp_path / value if value else None)
