from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import tomllib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from bisenet.engines import (
    ENGINES,
    Engine,
    EngineError,
    choice,
    compiled_cache,
    cpu,
    open_engine,
    quantised,
)
from bisenet.engines.openvino_engine import OpenVinoEngine
from bisenet.engines.openvino_graph import build_graph
from bisenet.engines.openvino_requests import Requests
from bisenet.engines.tensors import read_state
from bisenet.engines.torch_engine import TorchEngine
from bisenet.geometry.crops import normalise
from bisenet.network import weights
from bisenet.network.bisenet import BiSeNet, fold_batch_norm
from bisenet.postprocess.logits import to_crop
from tests.conftest import LABELLED, ROOT, needs_labelled_faces

HAS_INT8 = not quantised.why_not_int8(weights.resolve("default"))
RUNS_BF16 = bool(cpu.best_of(cpu.BF16, cpu.features()))
RUNS_INT8 = HAS_INT8 and bool(cpu.best_of(cpu.INT8, cpu.features()))
needs_bf16 = pytest.mark.skipif(not RUNS_BF16, reason="this CPU has no bf16 arithmetic")
needs_int8 = pytest.mark.skipif(not RUNS_INT8, reason="no int8 form, or no int8 arithmetic here")


@pytest.fixture(scope="module")
def reference() -> TorchEngine:
    return TorchEngine("default", threads=1)


@pytest.fixture(scope="module")
def f32() -> Engine:
    return open_engine("openvino", "default", threads=1)


@pytest.fixture(scope="module")
def faces(portrait: Image.Image) -> NDArray[np.uint8]:
    """Two crops, ``(2, 256, 256, 3)``."""
    face = cv2.resize(np.asarray(portrait), (256, 256), interpolation=cv2.INTER_AREA)
    return np.stack([face, np.ascontiguousarray(face[:, ::-1])])


def labels(logits: NDArray[np.float32], size: int) -> NDArray[np.int64]:
    return np.stack([to_crop(one, size).argmax(axis=0) for one in logits])


def test_openvino_f32_is_torch_f32(
    reference: TorchEngine, f32: Engine, faces: NDArray[np.uint8]
) -> None:
    batch = normalise(faces)
    expected = weights.load_model("default").forward_heads(torch.from_numpy(batch))[0]
    plain = expected.detach().numpy()
    assert np.abs(reference.infer(batch) - plain).max() < 1e-3
    assert np.abs(f32.infer(batch) - plain).max() < 1e-3
    assert f32.infer(batch).shape == (2, 19, 32, 32)


@pytest.mark.parametrize("name", ["openvino", "torch"])
def test_pixels_are_normalised_by_the_engine(name: str, faces: NDArray[np.uint8]) -> None:
    engine = open_engine(name, "default", threads=1)
    assert np.abs(engine.infer_pixels(faces) - engine.infer(normalise(faces))).max() < 1e-3


@pytest.mark.parametrize(
    ("backbone", "spatial_path"),
    [("resnet34", False), ("resnet18", True), ("xception39", False), ("xception39", True)],
)
def test_every_form_of_the_network_has_its_graph(backbone: Any, spatial_path: bool) -> None:
    import openvino as ov

    torch.manual_seed(1)
    model = BiSeNet(19, backbone, spatial_path).eval()
    for module in model.modules():  # statistics of their own, so that folding them shows
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
    x = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        (expected,) = model.forward_heads(x)
    state = {name: tensor.float().numpy() for name, tensor in model.state_dict().items()}
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    graph = build_graph(state, backbone, spatial_path)
    (output,) = ov.Core().compile_model(graph, "CPU", settings)(x.numpy()).values()
    assert np.abs(output - expected.numpy()).max() < 1e-3
    fold_batch_norm(model)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in model.modules())
    with torch.inference_mode():
        (folded,) = model.forward_heads(x)
    assert (folded - expected).abs().max() < 1e-3


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("openvino-bf16", marks=needs_bf16),
        pytest.param("openvino-int8", marks=needs_int8),
        pytest.param("torch-bf16", marks=needs_bf16),
    ],
)
class TestReducedPrecision:
    def test_the_portrait_is_labelled_alike(
        self, name: str, f32: Engine, portrait: Image.Image
    ) -> None:
        crop = cv2.resize(np.asarray(portrait), (512, 512), interpolation=cv2.INTER_AREA)[None]
        engine = open_engine(name, "default", threads=1)
        same = labels(engine.infer_pixels(crop), 512) == labels(f32.infer_pixels(crop), 512)
        assert same.mean() > 0.99

    @needs_labelled_faces
    def test_held_out_faces_are_labelled_alike(self, name: str, f32: Engine) -> None:
        """The bounds of issue 6 on eight faces; ``evaluate --engine`` measures all of them."""
        engine = open_engine(name, "default", threads=1)
        files = sorted((LABELLED / "val" / "images").glob("*.jpg"))[::13]
        crops = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])
        expected = np.concatenate([labels(f32.infer_pixels(c[None]), 512) for c in crops])
        found = np.concatenate([labels(engine.infer_pixels(c[None]), 512) for c in crops])
        assert (found == expected).mean() >= 0.995


def test_a_batch_is_its_images(f32: Engine, faces: NDArray[np.uint8]) -> None:
    together = f32.infer_pixels(faces)
    for image, logits in zip(faces, together, strict=True):
        assert np.abs(f32.infer_pixels(image[None])[0] - logits).max() < 1e-3


def test_threads_share_an_engine_and_get_their_own(f32: Engine, faces: NDArray[np.uint8]) -> None:
    crops = [np.roll(faces[:1], 8 * n, axis=2) for n in range(6)]
    expected = [f32.infer_pixels(crop) for crop in crops]
    found: list[Any] = [None] * len(crops)

    def run(number: int) -> None:
        found[number] = f32.infer_pixels(crops[number])

    workers = [threading.Thread(target=run, args=(n,)) for n in range(len(crops))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for one, other in zip(found, expected, strict=True):
        assert np.abs(one - other).max() < 1e-4


def test_serving_imports_no_torch(tmp_path: Path) -> None:
    script = (
        "import sys, numpy as np; from bisenet.parser import FaceParser; p = FaceParser();"
        "p.parse(np.zeros((64, 64, 3), np.uint8), framing='whole');"
        "print(p.engine.name, 'torch' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert result.stdout.split() == ["openvino", "False"]


def test_compiled_networks_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BISENET_CACHE_DIR", str(tmp_path / "cache"))
    OpenVinoEngine(threads=1)
    assert list((tmp_path / "cache" / "openvino").glob("*.blob"))
    monkeypatch.setenv("BISENET_CACHE_DIR", "/proc/nowhere")
    OpenVinoEngine(threads=1)  # a folder that cannot be written: compiled afresh


def test_a_kept_network_with_a_flipped_bit_is_compiled_afresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BISENET_CACHE_DIR", str(tmp_path))
    noise = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3)).astype(np.uint8)
    expected = OpenVinoEngine(threads=1).infer_pixels(noise)
    (kept,) = (tmp_path / "openvino").glob("*.blob")
    damaged = bytearray(kept.read_bytes())
    # Among the weights, where OpenVINO takes it without a word and gives other logits.
    for byte in range(4):
        damaged[len(damaged) // 20 // 4 * 4 + byte] ^= 0x40
    kept.chmod(0o600)
    kept.write_bytes(damaged)
    assert np.array_equal(OpenVinoEngine(threads=1).infer_pixels(noise), expected)
    assert kept.read_bytes() != damaged


def test_only_kept_networks_that_are_as_they_were_written_stay(tmp_path: Path) -> None:
    good, damaged, unknown = (tmp_path / f"{name}.blob" for name in ("good", "damaged", "unknown"))
    good.write_bytes(b"compiled")
    damaged.write_bytes(b"compiled")
    compiled_cache.note_new(tmp_path)
    damaged.write_bytes(b"compilee")
    unknown.write_bytes(b"compiled")
    assert compiled_cache.drop_damaged(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["good.blob", "good.blob.sha256"]
    damaged.write_bytes(b"anew")
    compiled_cache.note_new(tmp_path)
    assert compiled_cache.drop_damaged(tmp_path)
    assert damaged.read_bytes() == b"anew"
    assert compiled_cache.drop_damaged(tmp_path / "none yet")


class TestChoice:
    @pytest.fixture
    def entry(self) -> weights.WeightsInfo:
        return weights.WeightsInfo("w", Path("w.safetensors"), sha256="a")

    def able(self, entry: weights.WeightsInfo) -> list[str]:
        return [name for name, _, obstacle in choice.candidates(entry) if not obstacle]

    @pytest.mark.parametrize(
        ("flags", "fastest"),
        [
            ({"amx_int8", "amx_bf16"}, "openvino-bf16"),
            ({"avx512_vnni"}, "openvino"),
            ({"avx2"}, "openvino"),
            (set(), "openvino"),
        ],
    )
    def test_the_cpu_decides(
        self,
        entry: weights.WeightsInfo,
        monkeypatch: pytest.MonkeyPatch,
        flags: set[str],
        fastest: str,
    ) -> None:
        monkeypatch.setattr(cpu, "features", lambda: frozenset(flags))
        monkeypatch.setattr(choice, "_on_gpu", list)
        assert self.able(entry)[0] == fastest

    def test_int8_needs_its_file_and_vnni(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "w8.zip").write_bytes(b"x")
        entry = weights.WeightsInfo(
            "w", tmp_path / "w.safetensors", sha256="a", int8_file="w8.zip", int8_of="a"
        )
        monkeypatch.setattr(cpu, "features", lambda: frozenset({"avx512_vnni"}))
        assert "openvino-int8" in self.able(entry)
        monkeypatch.setattr(cpu, "features", lambda: frozenset({"avx2"}))
        assert "openvino-int8" not in self.able(entry)

    def test_without_openvino_torch_takes_over_and_says_so(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(choice, "installed", lambda package: package != "openvino")
        engine = open_engine("auto", "default", threads=1)
        assert engine.info.name == "torch"
        assert "openvino is not installed" in engine.info.reason
        with pytest.raises(EngineError, match=r"pip install openvino.*torch or auto"):
            open_engine("openvino", "default")

    def test_a_cpu_that_openvino_does_not_support_falls_to_torch(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import openvino as ov

        def refuse(*_: Any) -> None:
            raise RuntimeError("Unsupported instruction set")

        monkeypatch.setattr(ov.Core, "compile_model", refuse)
        engine = open_engine("auto", "default", threads=1)
        assert engine.info.name == "torch"
        assert "does not support this CPU" in engine.info.reason

    def test_auto_says_why(self) -> None:
        info = open_engine("auto", "default", threads=1).info
        assert info.reason.endswith(".")
        assert info.threads == 1
        assert str(info) == f"{info.name} {info.precision}, {info.device}, 1 thread"

    def test_unknown_names_are_refused_with_the_known(self) -> None:
        with pytest.raises(ValueError, match="openvino-int8"):
            open_engine("tensorflow", "default")
        assert ENGINES[0] == "auto"


class TestQuantisedFile:
    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The shipped weights with an int8 form whose content is two short texts."""
        entry = weights.resolve("default")
        shutil.copy(entry.path, tmp_path)
        manifest = tomllib.loads((weights.weights_dir() / "manifest.toml").read_text())
        quantised.write_quantised(tmp_path / "w8.zip", b"<xml/>", b"tensors")
        table = manifest["weights"][0] | {
            "int8_file": "w8.zip",
            "int8_sha256": weights.file_hash(tmp_path / "w8.zip"),
            "int8_of": entry.sha256,
        }
        self.write(tmp_path, table)
        monkeypatch.setenv("BISENET_WEIGHTS_DIR", str(tmp_path))
        return tmp_path

    def write(self, folder: Path, table: dict[str, Any]) -> None:
        import tomli_w

        text = tomli_w.dumps({"weights": [table]})
        (folder / "manifest.toml").write_text(text, encoding="utf-8")

    def table(self, folder: Path) -> dict[str, Any]:
        found: dict[str, Any] = tomllib.loads((folder / "manifest.toml").read_text())["weights"][0]
        return found

    def test_it_is_read_as_written(self, folder: Path) -> None:
        assert quantised.read_quantised("default") == (b"<xml/>", b"tensors")

    def test_another_file_is_refused_and_auto_falls_back(self, folder: Path) -> None:
        (folder / "w8.zip").write_bytes(b"altered")
        with pytest.raises(EngineError, match="SHA-256 differs"):
            open_engine("openvino-int8", "default")
        if RUNS_BF16 and cpu.best_of(cpu.INT8, cpu.features()):
            info = open_engine("auto", "default", threads=1).info
            assert info.precision == "bf16"
            assert "SHA-256 differs" in info.reason

    def test_one_made_from_other_weights_is_refused(self, folder: Path) -> None:
        self.write(folder, self.table(folder) | {"int8_of": "0" * 64})
        with pytest.raises(EngineError, match="made from other weights"):
            open_engine("openvino-int8", "default")

    def test_a_missing_file_is_named(self, folder: Path) -> None:
        (folder / "w8.zip").unlink()
        with pytest.raises(EngineError, match=r"w8\.zip is missing"):
            open_engine("openvino-int8", "default")

    def test_other_weights_have_none(self, folder: Path) -> None:
        table = self.table(folder)
        self.write(folder, {k: v for k, v in table.items() if not k.startswith("int8")})
        with pytest.raises(EngineError, match=r"no int8 form .*weights quantise \S+ --data"):
            open_engine("openvino-int8", "default")


class _Cramped(OpenVinoEngine):
    """An engine on a machine where only a batch of ``fits`` images has room."""

    fits = 1

    def _network(self, pixels: bool) -> Requests:
        return _CrampedRequests(super()._network(pixels), self.fits)


class _CrampedRequests(Requests):
    def __init__(self, requests: Requests, fits: int):
        self._requests, self._fits = requests, fits

    def run(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        if len(batch) > self._fits:
            raise RuntimeError("Failed to allocate 123456789 bytes of memory")
        return self._requests.run(batch)


def test_too_large_a_batch_goes_one_by_one(f32: Engine, faces: NDArray[np.uint8]) -> None:
    engine = _Cramped(threads=1)
    assert np.abs(engine.infer_pixels(faces) - f32.infer_pixels(faces)).max() < 1e-3


def test_too_large_an_image_is_said(faces: NDArray[np.uint8]) -> None:
    engine = _Cramped(threads=1)
    engine.fits = 0
    with pytest.raises(EngineError, match="not enough memory to parse at 256 x 256"):
        engine.infer_pixels(faces[:1])


def test_an_altered_file_of_weights_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = weights.resolve("default")
    shutil.copy(weights.weights_dir() / "manifest.toml", tmp_path)
    (tmp_path / entry.path.name).write_bytes(entry.path.read_bytes()[:-1] + b"\x00")
    monkeypatch.setenv("BISENET_WEIGHTS_DIR", str(tmp_path))
    with pytest.raises(weights.WeightsError, match="SHA-256 differs"):
        read_state("default")


def test_cpu_flags_are_read(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text("model name\t: Some CPU\nflags\t\t: fpu avx512_vnni amx_bf16\n")
    assert cpu.features(file) == {"fpu", "avx512_vnni", "amx_bf16"}
    assert cpu.best_of(cpu.INT8, cpu.features(file)) == "AVX-512 VNNI"
    assert cpu.best_of(cpu.BF16, cpu.features(file)) == "AMX bf16"
    assert cpu.name(file) == "Some CPU"
    assert cpu.features(tmp_path / "none") == frozenset()
