"""Resident memory after many large photos in the dashboard, of a real server on loopback.

    python -m tests.drills.memory --sessions 3 --photos 20 --megapixels 12 --views 300

Prints what the server holds after every fifth photo of each session, at the end, and after
everyone has asked to forget everything.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from bisenet.images import samples
from tests.deploy.replicas import Replica
from tests.drills.page_client import PageClient


def photos(count: int, megapixels: float, kind: str) -> list[bytes]:
    """Different photos of one face, 4:3."""
    width = round((megapixels * 1e6 * 4 / 3) ** 0.5)
    size = (width, round(width * 3 / 4))
    face = np.asarray(samples.astronaut().resize(size, Image.Resampling.BICUBIC), np.int16)
    noise = np.random.default_rng(0).integers(-6, 7, (size[1], size[0], 1), np.int16)
    files = []
    for number in range(count):
        pixels = np.clip(face + np.roll(noise, 97 * number, axis=1), 0, 255).astype(np.uint8)
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, kind, quality=85)
        files.append(out.getvalue())
    return files


def status(process: int, key: str) -> float:
    """A figure of the kernel's, MB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) * 1024 / 1e6


def main() -> int:
    """Start a server, add the photos, and say what it holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=3)
    parser.add_argument("--photos", type=int, default=20, help="of each session")
    parser.add_argument("--megapixels", type=float, default=12.0)
    parser.add_argument("--views", type=int, default=300, help="BISENET_VIEWS_MB")
    parser.add_argument("--format", default="JPEG", choices=("JPEG", "PNG", "WEBP"))
    args = parser.parse_args()
    files = photos(args.sessions * args.photos, args.megapixels, args.format)
    with tempfile.TemporaryDirectory() as folder:
        env = {"BISENET_VIEWS_MB": str(args.views), "BISENET_THREADS": "2"}
        server = Replica(Path(folder) / "server.log", env).start()
        try:
            server.wait_ready()
            assert server.process is not None
            pid = server.process.pid
            ready = status(pid, "VmRSS")
            print(f"ready: {ready:.0f} MB")
            people = [PageClient(server.url) for _ in range(args.sessions)]
            began = time.monotonic()

            def add(person: int) -> None:
                for number, data in enumerate(files[person :: len(people)], start=1):
                    people[person].upload(f"{number}.jpg", data)
                    if person == 0 and number % 5 == 0:
                        held, peak = status(pid, "VmRSS"), status(pid, "VmHWM")
                        print(f"{number} of each: {held:.0f} MB, at most {peak:.0f}", flush=True)

            # Side by side, as people come: two at once keep more than one after another.
            with ThreadPoolExecutor(len(people)) as threads:
                list(threads.map(add, range(len(people))))
            print(f"{(time.monotonic() - began) / len(files):.2f} s a photo")
            sent = sum(len(data) for data in files) / 1e6
            expected = ready + sent + args.views * 2**20 / 1e6
            print(f"files {sent:.0f} MB; ready, files and views together: {expected:.0f} MB")
            time.sleep(10)
            print(f"10 s later: {status(pid, 'VmRSS'):.0f} MB")
            for person in people:
                if "Forget everything now" in person.widgets:
                    person.click("Forget everything now")
            time.sleep(2)
            print(f"everything forgotten: {status(pid, 'VmRSS'):.0f} MB")
            for person in people:
                person.close()
        finally:
            server.kill()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
