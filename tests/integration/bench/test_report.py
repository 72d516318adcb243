from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from bisenet.bench import backends, finding, latency, profile, report
from bisenet.bench.concurrency import measure
from bisenet.bench.end_to_end import photo_times, sample_jpeg
from bisenet.bench.startup import memory
from bisenet.cli import main
from bisenet.engines import EngineInfo
from bisenet.images.decode import load_image
from bisenet.parser import FaceParser
from bisenet.runtime.admission import ParseQueue
from bisenet.runtime.cancellation import Cancelled

EFFORT = latency.Effort(runs=4, seconds=10)


def backend(name: str, calls: list[str]) -> backends.Backend:
    return backends.Backend(name, "f32", "cpu", 1, "nothing", lambda _: calls.append(name))


def test_backends_alternate() -> None:
    calls: list[str] = []
    latency.compare([backend(n, calls) for n in "ab"], [32], [1], EFFORT)
    # One warm-up each; then each turn is an untimed and a timed run.
    assert calls == ["a", "b", *["a", "a", "b", "b"] * 4]


def test_every_size_and_batch_has_its_cell_and_ratio() -> None:
    entered = [backend(n, []) for n in (backends.PUBLISHED, "openvino")]
    shares: list[float] = []
    table = latency.compare(
        entered, [32, 64], [1, 2], EFFORT, lambda share, what: shares.append(share)
    )
    assert [(c.size, c.batch, c.backend) for c in table.cells] == [
        (size, batch, one.name) for size in (32, 64) for batch in (1, 2) for one in entered
    ]
    assert all(c.times.count == 4 for c in table.cells)
    assert {(r.backend, r.reference) for r in table.ratios} == {("openvino", "published")}
    assert shares == sorted(shares)
    assert shares[-1] == 1
    row = table.cells[0].as_row()
    assert {"median_ms", "p95_ms", "images_per_s", "threads", "runs"} <= set(row)
    for named in (row, table.ratios[0].as_row()):
        assert named["contestant"] == named["backend"], "the old name, for one release"
    json.dumps(row)


def test_it_can_be_stopped() -> None:
    calls: list[str] = []
    with pytest.raises(Cancelled):
        latency.compare([backend("a", calls)], [32], [1], EFFORT, stop=lambda: len(calls) >= 3)
    assert len(calls) == 3


@pytest.mark.parametrize(("sizes", "batches"), [([100], [1]), ([0], [1]), ([32], [0])])
def test_wrong_sizes_are_refused(sizes: list[int], batches: list[int]) -> None:
    with pytest.raises(ValueError, match=r"multiple of 32|at least one"):
        latency.compare([backend("a", [])], sizes, batches)


def test_a_slow_backend_runs_less_often_but_often_enough() -> None:
    effort = latency.Effort(runs=10, seconds=0)
    table = latency.compare([backend("a", [])], [32], [1], effort)
    assert table.cells[0].times.count == 3


def test_the_published_way_labels_as_the_engine_does() -> None:
    entered, refused = backends.open_backends([backends.PUBLISHED, "openvino"], threads=1)
    assert not refused
    batch = np.random.default_rng(0).standard_normal((1, 3, 64, 64), dtype=np.float32)
    published, ours = (one.run(batch) for one in entered)
    assert published.shape == (1, 64, 64)
    assert ours.shape == (1, 19, 8, 8)


def test_onnx_runtime_agrees_where_it_is_installed() -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    entered, _ = backends.open_backends([backends.ONNX_RUNTIME, "openvino"], threads=1)
    batch = np.random.default_rng(0).standard_normal((2, 3, 96, 96), dtype=np.float32)
    (theirs,), ours = (one.run(batch) for one in entered)
    assert np.abs(theirs - ours).max() < 1e-3


def test_who_cannot_take_part_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "_installed", lambda *packages: False)
    entered, refused = backends.open_backends(["onnxruntime", "published"])
    assert not entered
    assert [one.name for one in refused] == ["onnxruntime", "published"]
    with pytest.raises(ValueError, match="no engine 'abacus'"):
        backends.open_backends(["abacus"])


def test_a_photos_way(parser: FaceParser) -> None:
    times = photo_times(parser, runs=1)
    assert times.ratio > 0
    assert {"decode", "network"} <= set(times.stages)
    assert load_image(sample_jpeg()).size == (1414, 1414)


@pytest.mark.parametrize("running", [1, 2])
def test_sixteen_people_at_once(parser: FaceParser, running: int) -> None:
    outcome = measure(parser, 16, ParseQueue(running, 16))
    assert (outcome.failures, outcome.mixed_up) == (0, 0)
    assert outcome.together_images_per_s > 0


def test_parts_of_the_network() -> None:
    assert profile.part_of("context_path.backbone.layer1.0.conv1") == "Context path: backbone"
    assert profile.part_of("context_path.arm16.conv.conv") == "Attention refinement"
    assert profile.part_of("fusion.conv.conv") == "Feature fusion"
    assert profile.part_of("head.classifier_original") == "Main head"
    assert profile.part_of("Parameter_1") == "Input and output"


def test_a_profile_accounts_for_the_whole_network() -> None:
    found = profile.profile("f32", size=64, threads=1, runs=1)
    # 26.8 GFLOP at 512 pixels (all but the pooled parts grow with the area).
    assert found.gflop == pytest.approx(26.77 / 64, rel=0.01)
    assert {"Context path: backbone", "Feature fusion", "Main head"} <= {
        part.name for part in found.parts
    }
    assert found.peak > 0
    assert sum(row["ms"] for row in found.rows()) == pytest.approx(found.milliseconds, rel=0.01)


def test_memory_is_in_megabytes() -> None:
    found = memory()
    assert 10 < found["resident_mb"] <= found["peak_mb"] * 1.05


def test_the_command_prints_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: dict[str, Any] = {}

    def fake(names: Any, sizes: Any, batches: Any, *_: Any, **__: Any) -> dict[str, Any]:
        asked.update(names=names, sizes=sizes, batches=batches)
        return {"schema": report.SCHEMA}

    monkeypatch.setattr(report, "benchmark", fake)
    assert main.main(["benchmark", "--json", "--quick", "--engines", "torch,openvino"]) == 0
    assert json.loads(capsys.readouterr().out) == {"schema": report.SCHEMA}
    assert asked == {"names": ["torch", "openvino"], "sizes": (512,), "batches": (1,)}
    assert main.main(["benchmark", "--sizes", "256,512", "--json"]) == 0
    assert asked["sizes"] == (256, 512)
    with pytest.raises(SystemExit):
        main.main(["benchmark", "--sizes", "big"])


def test_the_network_alone_is_measured_and_reported_under_both_names() -> None:
    found = report.benchmark(["openvino"], [32], [1], EFFORT, network_only=True)
    assert found["contestants"] == found["backends"]
    assert list(found["backends"]) == ["openvino"]
    assert "openvino: main head" in report.as_text(json.loads(json.dumps(found)))


def test_the_text_has_every_part() -> None:
    info = EngineInfo("openvino", "int8", "cpu", 2, "Because.")
    row = {"backend": "openvino", "threads": 2, "size": 512, "batch": 1, "runs": 9}
    start = {"asked": "auto", "cache": "empty", "import_s": 1.0, "open_s": 1.0}
    text = report.as_text(
        {
            "machine": report.machine(),
            "weights": "w",
            "engine": str(info),
            "why": info.reason,
            "backends": {"openvino": "main head"},
            "refused": {"onnxruntime": "It is not installed."},
            "table": [row | {"median_ms": 10.0, "p95_ms": 12.0, "images_per_s": 100.0}],
            "ratios": [
                {
                    "backend": "openvino",
                    "reference": "published",
                    "size": 512,
                    "batch": 1,
                    "times_faster": 7.5,
                }
            ],
            "photo": [
                {
                    "megapixels": 2.0,
                    "framing": "whole",
                    "bytes_to_mask_median_ms": 20.0,
                    "bytes_to_mask_p95_ms": 21.0,
                    "ratio": 2.0,
                    "forward_median_ms": 10.0,
                    "stages_ms": {"decode": 5.0},
                }
            ],
            "folder_images_per_s": 50.0,
            "concurrency": {
                "people": 16,
                "failures": 0,
                "mixed_up": 0,
                "together_images_per_s": 50.0,
                "alone_images_per_s": 50.0,
                "p95_ms": 300.0,
                "queue_bound_ms": 320.0,
            },
            "starts": [start | {"first_parse_s": 0.1, "resident_mb": 200.0, "peak_mb": 300.0}],
            "profile": [
                {
                    "precision": "int8",
                    "part": "Main head",
                    "ms": 1.0,
                    "gflop": 4.9,
                    "peak_share": 0.5,
                }
            ],
        }
    )
    for piece in ("7.50", "bytes to mask 20.0 ms", "16 people", "Main head", "not take part"):
        assert piece in text


def test_the_search_is_measured_beside_a_portraits_parse(
    parser: FaceParser, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = {name: pixels for name, pixels in finding.photos().items() if "512" in name}
    portrait = chosen.pop("portrait, 512 pixels")
    monkeypatch.setattr(finding, "photos", lambda: {finding.PORTRAIT: portrait, **chosen})
    first, second = finding.finding_costs(parser, runs=1)
    assert (first.faces, second.faces) == (1, 0)
    assert 0 < first.find < first.parse
    table = finding.as_text({"engine": "x", "runs": 1, "finding": [first.as_row()]})
    assert f"| {finding.PORTRAIT} | 1 | " in table
