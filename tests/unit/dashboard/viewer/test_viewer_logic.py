"""The viewer's JavaScript logic in Node; skipped without Node."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from bisenet.dashboard.viewer.assets import javascript
from tests.conftest import ROOT

HERE = Path(__file__).parent
SCRIPTS = ROOT / "bisenet" / "dashboard" / "viewer" / "js"


def node(*arguments: str, text: str | None = None) -> str:
    """Output of a Node run; skips the test where Node is missing or too old."""
    path = shutil.which("node")
    if path is None:
        pytest.skip("Node is not installed")
    version = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=60).stdout
    if tuple(int(part) for part in version.strip().removeprefix("v").split(".")[:2]) < (20, 19):
        pytest.skip("this Node is too old to import .js files as modules")
    done = subprocess.run(
        [path, *arguments], input=text, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def module(code: str, given: object) -> Any:
    """Runs a module that gets ``given`` and prints JSON."""
    source = f"const given = {json.dumps(given)};\n{code}"
    return json.loads(node("--input-type=module", "-", text=source))


def test_logic() -> None:
    node("--test", str(HERE / "logic.test.mjs"))


def test_the_joined_script_is_valid(tmp_path: Path) -> None:
    joined = tmp_path / "viewer.mjs"
    joined.write_text(javascript(), encoding="utf-8")
    node("--check", str(joined))
    code = f"import mount from {json.dumps(str(joined))}; console.log(typeof mount === 'function')"
    assert module(code, None) is True


@pytest.mark.parametrize("kind", ["L", "L-noise", "L-optimized", "P", "P-16", "P-4", "P-2"])
def test_png_decoder_agrees_with_pillow(kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    kinds = {"P-16": 16, "P-4": 4, "P-2": 2}.get(kind, 19)
    y, x = np.mgrid[:61, :83]
    array = ((x // 9 + y // 7) % kinds).astype(np.uint8)
    if kind == "L-noise":
        array = (array + rng.integers(0, 230, array.shape)).astype(np.uint8)
    image = Image.fromarray(array)
    if kind.startswith("P"):
        image.putpalette(rng.integers(0, 256, kinds * 3).astype(np.uint8).tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=kind == "L-optimized")
    file = tmp_path / f"{quote(kind)}.png"
    file.write_bytes(buffer.getvalue())
    code = f"""
        import {{ readFileSync }} from "node:fs";
        import {{ decodePng }} from {json.dumps(str(SCRIPTS / "png.js"))};
        const map = await decodePng(new Uint8Array(readFileSync(given)));
        console.log(JSON.stringify([map.width, map.height, [...map.data]]));
    """
    width, height, values = module(code, str(file))
    assert (width, height) == (83, 61)
    np.testing.assert_array_equal(np.array(values, np.uint8).reshape(61, 83), array)
