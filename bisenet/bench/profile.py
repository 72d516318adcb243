"""Where the network's own time goes, module by module, and how near that is to the CPU's peak."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from bisenet.engines import EngineError
from bisenet.engines.choice import Precision, installed
from bisenet.runtime.cancellation import Cancelled

# Prefix of a node's name to the paper's part; the first match wins.
PARTS = (
    ("context_path.backbone", "Context path: backbone"),
    ("spatial_path", "Spatial path"),
    ("context_path.arm", "Attention refinement"),
    ("context_path", "Context path: rest"),
    ("fusion", "Feature fusion"),
    ("head", "Main head"),
)
_INPUT = "Input and output"
_SIDE = 64
_DEPTH = 1024


@dataclass(frozen=True)
class Part:
    """One part of the network: milliseconds, billions of operations, share of the peak (0..1)."""

    name: str
    milliseconds: float
    gflop: float
    peak_share: float


@dataclass(frozen=True)
class Profile:
    """One forward pass in parts. ``peak`` is measured on a matrix product, 10**9 operations/s.

    A multiplication and its addition count as two operations, in int8 too.
    """

    precision: str
    threads: int
    size: int
    peak: float
    parts: tuple[Part, ...]

    @property
    def milliseconds(self) -> float:
        """The nodes' times together."""
        return sum(part.milliseconds for part in self.parts)

    @property
    def gflop(self) -> float:
        """Operations of one pass, 10**9."""
        return sum(part.gflop for part in self.parts)

    @property
    def peak_share(self) -> float:
        """Share of the measured peak that the whole pass reaches, 0..1."""
        return self.gflop / (self.milliseconds / 1000) / self.peak if self.peak else 0.0

    def rows(self) -> list[dict[str, Any]]:
        """One row a part, with units in the names."""
        return [
            {
                "precision": self.precision,
                "threads": self.threads,
                "size_px": self.size,
                "part": part.name,
                "ms": round(part.milliseconds, 4),
                "gflop": round(part.gflop, 4),
                "peak_share": round(part.peak_share, 4),
                "peak_gflop_per_s": round(self.peak, 1),
            }
            for part in self.parts
        ]


def profile(
    precision: str,
    weights: str = "default",
    size: int = 512,
    threads: int | None = None,
    runs: int = 15,
    stop: Callable[[], bool] | None = None,
) -> Profile:
    """Run the network with a clock at every node; each node's fastest run counts.

    The peak is measured alternately with it: the best rate of a large matrix product, or of any
    convolution where that is better, so that no part ever seems to beat the machine.

    Args:
        precision: ``f32``, ``bf16`` or ``int8``, on OpenVINO.
        weights: a name of the manifest or a checkpoint's path.
        size: side of the input, pixels.
        threads: by default, as many as the CPU quota allows.
        runs: how many passes.
        stop: asked before each pass; True ends it early.

    Raises:
        EngineError: OpenVINO is not installed, or this precision cannot run here.
        Cancelled: ``stop`` said so before the first pass.
        WeightsError: the weights cannot be loaded.
    """
    if not installed("openvino"):
        raise EngineError("A profile takes OpenVINO: pip install openvino")
    from bisenet.engines.openvino_engine import OpenVinoEngine

    engine = OpenVinoEngine(weights, cast(Precision, precision), threads, profiled=True)
    batch = np.random.default_rng(0).integers(0, 256, (1, size, size, 3)).astype(np.uint8)
    nodes: dict[str, list[float]] = {}
    product = MatrixProduct(precision, engine.info.threads)
    engine.profile(batch)
    peak = 0.0
    for _ in range(runs):
        if stop is not None and stop():
            break
        for name, _, ms in engine.profile(batch):
            nodes.setdefault(name, []).append(ms)
        peak = max(peak, product.rate())
    if not nodes:
        raise Cancelled
    work = engine.operations(size)
    rates = [work[name] / min(nodes[name]) / 1e6 for name in work.keys() & nodes.keys()]
    peak = max([peak, *rates])
    milliseconds = dict.fromkeys([part for _, part in PARTS] + [_INPUT], 0.0)
    gflop = dict.fromkeys(milliseconds, 0.0)
    for name, times in nodes.items():
        milliseconds[part_of(name)] += min(times)
    for name, operations in work.items():
        gflop[part_of(name)] += operations / 1e9
    parts = tuple(
        Part(name, ms, gflop[name], _share(gflop[name], ms, peak))
        for name, ms in milliseconds.items()
        if ms > 0 or gflop[name] > 0
    )
    return Profile(precision, engine.info.threads, size, peak, parts)


def part_of(node: str) -> str:
    """The paper's part that a node of the graph belongs to."""
    return next((part for prefix, part in PARTS if node.startswith(prefix)), _INPUT)


class MatrixProduct:
    """A large matrix product: about the best that the CPU's arithmetic units give.

    It is written as a 1 x 1 convolution, ``(4096, 1024)`` times ``(1024, 1024)``: OpenVINO's plain
    MatMul does not reach its fast kernels with weights that are not transposed.
    """

    def __init__(self, precision: str, threads: int):
        import openvino as ov
        import openvino.opset13 as op

        rng = np.random.default_rng(0)
        shape = [1, _DEPTH, _SIDE, _SIDE]
        x = op.parameter(shape, np.float32, name="x")
        weight = op.constant(rng.standard_normal((_DEPTH, _DEPTH, 1, 1), dtype=np.float32))
        left, right = (_quantise(x), _quantise(weight)) if precision == "int8" else (x, weight)
        product = op.convolution(left, right, [1, 1], [0, 0], [0, 0], [1, 1], name="product")
        settings: Mapping[str, Any] = {
            "INFERENCE_PRECISION_HINT": "f32" if precision == "f32" else "bf16",
            "INFERENCE_NUM_THREADS": threads,
            "PERF_COUNT": True,
            "ENABLE_CPU_PINNING": False,
        }
        model = ov.Model([op.result(product)], [x], "product")
        self._request = ov.Core().compile_model(model, "CPU", settings).create_infer_request()
        self._data = rng.standard_normal(shape, dtype=np.float32)

    def rate(self) -> float:
        """Operations a second of one run, 10**9.

        The product's node alone: bringing its input into int8 is no part of the peak.
        """
        self._request.infer(self._data, share_inputs=True, share_outputs=True)
        seconds = [
            row.real_time.total_seconds()
            for row in self._request.profiling_info
            if row.node_type == "Convolution"
        ]
        return 2 * _SIDE**2 * _DEPTH**2 / max(seconds) / 1e9 if seconds else 0.0


def _quantise(node: Any) -> Any:
    import openvino.opset13 as op

    low, high = (op.constant(np.float32(v)) for v in (-4.0, 4.0 * 127 / 128))
    return op.fake_quantize(node, low, high, low, high, 256)


def _share(gflop: float, milliseconds: float, peak: float) -> float:
    return gflop / (milliseconds / 1000) / peak if milliseconds > 0 and peak > 0 else 0.0
