"""The viewer's JavaScript logic in Node; skipped without Node."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bisenet.dashboard.picture import pack
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


@pytest.mark.parametrize("kinds", [2, 19, 256])
def test_a_packed_plane_is_unpacked(kinds: int, tmp_path: Path) -> None:
    plane = np.random.default_rng(5).integers(0, kinds, (61, 83)).astype(np.uint8)
    file = tmp_path / "plane"
    file.write_bytes(pack(plane))
    code = f"""
        import {{ readFileSync }} from "node:fs";
        import {{ unpack }} from {json.dumps(str(SCRIPTS / "plane.js"))};
        const bytes = new Uint8Array(readFileSync(given));
        const map = await unpack(bytes);
        const cut = await unpack(bytes.subarray(0, bytes.length / 2)).catch((e) => e.message);
        console.log(JSON.stringify([map.width, map.height, [...map.data], cut]));
    """
    width, height, values, cut = module(code, str(file))
    assert (width, height) == (83, 61)
    np.testing.assert_array_equal(np.array(values, np.uint8).reshape(61, 83), plane)
    assert cut == "The label map is damaged."
