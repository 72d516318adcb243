"""Which engine runs, and why: the fastest correct one, and every faster one that could not."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Literal, cast

from bisenet.engines import Engine, EngineError, cpu
from bisenet.engines.quantised import why_not_int8
from bisenet.network import weights as catalogue

Precision = Literal["f32", "bf16", "int8"]


def open_named(name: str, weights: str, threads: int | None, reason: str = "chosen") -> Engine:
    """Open one engine of ``bisenet.engines.ENGINES`` other than ``auto``.

    Raises:
        EngineError: it cannot run here.
        WeightsError: the weights cannot be loaded.
    """
    family, _, precision = name.partition("-")
    precision = precision or "f32"
    if not installed(family):
        other = "openvino" if family == "torch" else "torch"
        raise EngineError(
            f"The engine {name} needs the package {family}, which is not installed: "
            f"pip install {family}. The engine {other} or auto runs without it."
        )
    if family == "torch":
        from bisenet.engines.torch_engine import TorchEngine

        return TorchEngine(weights, bf16=precision == "bf16", threads=threads, reason=reason)
    from bisenet.engines.openvino_engine import OpenVinoEngine

    return OpenVinoEngine(weights, cast(Precision, precision), threads, reason)


def choose(weights: str, threads: int | None = None) -> Engine:
    """Open the fastest correct engine; ``info.reason`` says why it is this one.

    Raises:
        EngineError: none can run.
        WeightsError: the weights cannot be loaded.
    """
    entry = catalogue.resolve(weights)
    refused: list[str] = []
    for name, why, obstacle in candidates(entry):
        if obstacle:
            refused.append(f"{name}: {obstacle}")
            continue
        try:
            reason = "; ".join([why, *(f"not {text}" for text in refused)])
            return open_named(name, weights, threads, f"{reason[0].upper()}{reason[1:]}.")
        except EngineError as error:
            refused.append(f"{name}: {str(error).rstrip('.')}")
    raise EngineError("No engine can run here. " + ". ".join(refused) + ".")


def candidates(entry: catalogue.WeightsInfo) -> list[tuple[str, str, str]]:
    """Engines, fastest first: name, why it would be chosen, what stands in its way if anything."""
    found = cpu.features()
    vnni, bf16 = cpu.best_of(cpu.INT8, found), cpu.best_of(cpu.BF16, found)
    missing = "" if installed("openvino") else "the package openvino is not installed"
    no_int8 = "" if vnni else "the CPU has no int8 dot products (VNNI or AMX)"
    no_bf16 = "" if bf16 else "the CPU has no bf16 arithmetic"
    ranked = [
        (
            "openvino-int8",
            f"int8 is fastest on this CPU ({vnni}) and these weights ship with it",
            missing or no_int8 or why_not_int8(entry),
        ),
        ("openvino-bf16", f"bf16 is fastest on this CPU ({bf16})", missing or no_bf16),
        ("openvino", "OpenVINO f32 is the fastest that this CPU and these weights allow", missing),
        (
            "torch-bf16",
            f"torch is what is installed, and bf16 is faster on this CPU ({bf16})",
            no_bf16,
        ),
        ("torch", "torch f32 runs anywhere", ""),
    ]
    return [*_on_gpu(), *ranked]


def installed(package: str) -> bool:
    """Whether a package can be imported, without importing it."""
    return importlib.util.find_spec(package) is not None


def _on_gpu() -> list[tuple[str, str, str]]:
    # The driver's device file answers in microseconds; importing torch to ask takes seconds.
    if not Path("/dev/nvidiactl").exists() or not installed("torch"):
        return []
    import torch

    if not torch.cuda.is_available():
        return []
    return [("torch-bf16", f"bf16 on {torch.cuda.get_device_name(0)} is fastest", "")]
