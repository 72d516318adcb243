from __future__ import annotations

from bisenet import runlog
from bisenet.runtime import admission
from bisenet.serving import lifecycle
from bisenet.serving.metrics import Metrics


def test_metrics_have_their_names() -> None:
    metrics = Metrics(lifecycle.Lifecycle(admission.ParseQueue()))
    metrics.observe(
        runlog.Run(
            at=0.0,
            session="",
            source="api",
            weights="w",
            engine="torch",
            precision="f32",
            device="cpu",
            threads=1,
            input_size=512,
            megapixels=0.3,
            faces=1,
            warm_up=False,
            waited=40.0,
            stages={"network": 120.0},
        )
    )
    text = metrics.text().decode()
    for expected in (
        'bisenet_parses_total{outcome="ok",source="api"} 1.0',
        'bisenet_stage_seconds_sum{stage="network"} 0.12',
        "bisenet_wait_seconds_sum 0.04",
        "bisenet_queue_waiting 0.0",
        "bisenet_parse_stalled_seconds 0.0",
        "bisenet_sessions 0.0",
        "bisenet_ready 0.0",
        "process_resident_memory_bytes",
    ):
        assert expected in text
