"""Prometheus metrics: what is parsed, how long it takes, who waits."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from streamlit import runtime

from bisenet.runlog import Run
from bisenet.serving.lifecycle import Lifecycle

_STAGE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_REQUEST_BUCKETS = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The metrics of one server. Labels come from fixed sets, so their number is bounded."""

    def __init__(self, lifecycle: Lifecycle):
        disable_created_metrics()
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.parses = Counter(
            "bisenet_parses",
            "Photos handed in, by where they came from and what became of them.",
            ("source", "outcome"),
            registry=self.registry,
        )
        self.stages = Histogram(
            "bisenet_stage_seconds",
            "Time of each stage of a parse.",
            ("stage",),
            buckets=_STAGE_BUCKETS,
            registry=self.registry,
        )
        self.waits = Histogram(
            "bisenet_wait_seconds",
            "Time in the queue before a parse.",
            buckets=_REQUEST_BUCKETS,
            registry=self.registry,
        )
        self.requests = Histogram(
            "bisenet_request_seconds",
            "Time of requests, waiting included.",
            ("route", "status"),
            buckets=_REQUEST_BUCKETS,
            registry=self.registry,
        )
        self.script_errors = Counter(
            "bisenet_script_errors", "Uncaught errors of the dashboard.", registry=self.registry
        )
        queue = lifecycle.queue
        for name, text, value in (
            ("ready", "1 when new work is welcome.", lambda: float(lifecycle.ready)),
            ("queue_running", "Parses that run.", lambda: float(queue.running)),
            ("queue_waiting", "Parses that wait: the queue's depth.", lambda: float(queue.waiting)),
            ("queue_limit", "Parses that may wait.", lambda: float(queue.max_waiting)),
            (
                "queue_running_limit",
                "Parses that may run at a time.",
                lambda: float(queue.max_running),
            ),
            (
                "parse_stalled_seconds",
                "Since the running parse that has stood still longest last made progress; 0: none.",
                lambda: queue.stalled_seconds,
            ),
            ("sessions", "Browsers that are connected to the dashboard.", active_sessions),
        ):
            Gauge(f"bisenet_{name}", text, registry=self.registry).set_function(value)

    def observe(self, run: Run) -> None:
        """Count a finished parse, its stages and its wait: a listener of the run log."""
        self.parses.labels(run.source, "ok").inc()
        self.waits.observe(run.waited / 1000)
        for stage, milliseconds in run.stages.items():
            self.stages.labels(stage).observe(milliseconds / 1000)

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)


def active_sessions() -> float:
    """Connected browser sessions of this process; 0 where the dashboard does not run."""
    if not runtime.exists():
        return 0.0
    stats = runtime.get_instance().stats_mgr.get_stats(["active_sessions"])
    return float(sum(getattr(s, "value", 0) for s in stats.get("active_sessions", ())))
