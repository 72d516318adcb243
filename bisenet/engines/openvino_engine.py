"""The engine that serves: OpenVINO on the CPU, in f32, bf16 or int8, without torch."""

from __future__ import annotations

import threading
from typing import Any, Literal

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from bisenet.engines import EngineError, EngineInfo, compiled_cache
from bisenet.engines.openvino_graph import build_graph, from_pixels
from bisenet.engines.openvino_requests import Requests, settings
from bisenet.engines.quantised import read_quantised
from bisenet.engines.tensors import read_state
from bisenet.geometry.crops import MEAN, STD
from bisenet.runtime.paths import cache_dir
from bisenet.runtime.threads import thread_count

Precision = Literal["f32", "bf16", "int8"]


class OpenVinoEngine:
    """Runs a set of weights with OpenVINO.

    One compiled network takes any batch and size. It is compiled on first use, once for pixels and
    once for normalised images where both are asked for, and kept in the cache folder.

    Raises:
        EngineError: the CPU is not supported, or there is no int8 form of these weights.
        WeightsError: the weights cannot be loaded.
    """

    def __init__(
        self,
        weights: str = "default",
        precision: Precision = "f32",
        threads: int | None = None,
        reason: str = "",
        profiled: bool = False,
    ):
        self._precision = precision
        self._threads = threads or thread_count()
        self._reason = reason
        self._profiled = profiled
        self._core = ov.Core()
        self._requests: dict[bool, Requests] = {}
        self._lock = threading.Lock()
        if precision == "int8":
            self._model = self._core.read_model(*read_quantised(weights))
        else:
            entry, state = read_state(weights)
            self._model = build_graph(state, entry.backbone, entry.spatial_path)
        self._network(pixels=True)

    @property
    def info(self) -> EngineInfo:
        """What runs, on what."""
        return EngineInfo("openvino", self._precision, "cpu", self._threads, self._reason)

    def infer(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits ``(N, 19, S/8, S/8)`` of normalised images ``(N, 3, S, S)``."""
        return self._run(np.ascontiguousarray(batch, dtype=np.float32), pixels=False)

    def infer_pixels(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits ``(N, 19, S/8, S/8)`` of RGB pixels ``(N, S, S, 3)``."""
        return self._run(np.ascontiguousarray(batch), pixels=True)

    def profile(self, batch: NDArray[np.uint8]) -> list[tuple[str, str, float]]:
        """Name, kind and milliseconds of every node that ran for one batch of pixels.

        Needs ``profiled=True``; the clock of each node slows the whole by a percent or two.
        """
        with self._network(pixels=True).one() as request:
            request.infer(batch, share_inputs=True, share_outputs=True)
            return [
                (row.node_name, row.exec_type, row.real_time.total_seconds() * 1000)
                for row in request.profiling_info
                if row.status == ov.ProfilingInfo.Status.EXECUTED
            ]

    def operations(self, size: int) -> dict[str, int]:
        """Operations of each convolution for one image: two for every multiply and add."""
        model = self._model.clone()
        model.reshape([1, 3, size, size])
        work = {}
        for node in model.get_ordered_ops():
            if node.get_type_name() in ("Convolution", "GroupConvolution"):
                taps = np.prod(list(node.input(1).get_shape())[-3:])
                # A filter of a depthwise convolution sees one channel, which its shape says too.
                work[node.get_friendly_name()] = int(
                    2 * taps * np.prod(list(node.get_output_shape(0)))
                )
        return work

    def _run(self, batch: NDArray[Any], pixels: bool) -> NDArray[np.float32]:
        try:
            return self._network(pixels).run(batch)
        except (MemoryError, RuntimeError) as error:
            if not _out_of_memory(error):
                raise
        if len(batch) > 1:
            return np.concatenate([self._run(image[None], pixels) for image in batch])
        size = batch.shape[1] if pixels else batch.shape[2]
        raise EngineError(
            f"There is not enough memory to parse at {size} x {size} pixels. "
            "Choose a smaller size, or close other programs."
        )

    def _network(self, pixels: bool) -> Requests:
        with self._lock:
            if pixels not in self._requests:
                self._requests[pixels] = Requests(self._compile(pixels))
            return self._requests[pixels]

    def _compile(self, pixels: bool) -> ov.CompiledModel:
        model = self._model
        if pixels:
            model = from_pixels(model.clone(), (MEAN * 255).tolist(), (STD * 255).tolist())
        folder = None if self._profiled else cache_dir()
        kept = folder / "openvino" if folder else None
        if kept is not None and not compiled_cache.drop_damaged(kept):
            kept = None
        # What int8 leaves in floating point may as well be bf16.
        options = settings("f32" if self._precision == "f32" else "bf16", self._threads)
        options["PERF_COUNT"] = self._profiled
        if kept is not None:
            options["CACHE_DIR"] = str(kept)
        try:
            compiled = self._core.compile_model(model, "CPU", options)
        except RuntimeError as error:
            raise EngineError(
                "OpenVINO does not support this CPU; the engine torch runs on any."
            ) from error
        if kept is not None:
            compiled_cache.note_new(kept)
        return compiled


def _out_of_memory(error: BaseException) -> bool:
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(
        sign in text for sign in ("alloc", "out of memory", "not enough memory")
    )
