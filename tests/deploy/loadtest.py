"""Load on loopback: throughput and latency of ``POST /api/parse``, printed as a Markdown table.

    make loadtest                                    # 1, 2, 4, 8, 16 clients; 1 and 2 replicas
    python tests/deploy/loadtest.py --seconds 5 --clients 1 4 --replicas 1

wrk sends one sample face again and again, each client on a connection of its own. The load goes to
processes that this script starts itself, on 127.0.0.1, and stops by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.deploy.parse_once import multipart, photo
from tests.deploy.replicas import HaProxy, Replica, post_photo

SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "%s"
local file = io.open("%s", "rb")
wrk.body = file:read("*a")
file:close()
function done(summary, latency, requests)
  local bad = summary.errors.connect + summary.errors.read + summary.errors.write
    + summary.errors.timeout
  io.write(string.format(
    '\\nRESULT {"requests": %%d, "seconds": %%f, "refused": %%d, "lost": %%d, '
    .. '"p50": %%f, "p95": %%f, "max": %%f}\\n',
    summary.requests, summary.duration / 1e6, summary.errors.status, bad,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency.max / 1e3))
end
"""


def measure(url: str, clients: int, seconds: int, script: Path) -> dict[str, float]:
    """One run of wrk: requests, seconds, refused, lost, and milliseconds p50, p95, max."""
    shape = ["--threads", "1", "--connections", str(clients), "--duration", f"{seconds}s"]
    done = subprocess.run(
        ["wrk", *shape, "--timeout", "60s", "--script", str(script), f"{url}/api/parse"],
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds + 120,
    )
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    result: dict[str, float] = json.loads(line.removeprefix("RESULT "))
    return result


def main() -> int:
    """Start, load, print, stop."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--clients", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    arguments.add_argument("--replicas", type=int, nargs="+", default=[1, 2], choices=[1, 2, 3, 4])
    arguments.add_argument("--seconds", type=int, default=12)
    arguments.add_argument("--side", type=int, default=512, help="the photo's side, pixels")
    arguments.add_argument("--threads", type=int, default=1, help="threads of each engine")
    options = arguments.parse_args()
    missing = [tool for tool in ("wrk", "haproxy") if shutil.which(tool) is None]
    if missing:
        print(f"missing: {', '.join(missing)} (Debian: apt-get install wrk haproxy)")
        return 3
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, load {load:.1f} before; {options.seconds} s a row,")
    print(f"JPEG of {options.side} px, {options.threads} thread(s) a replica\n")
    print(
        "| replicas | clients | parses/s | p50 ms | p95 ms | CPU ms/parse | 429 | lost | peak MB |"
    )
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        body, content_type = multipart(photo(options.side))
        (folder / "body").write_bytes(body)
        script = folder / "parse.lua"
        script.write_text(SCRIPT % (content_type, folder / "body"))
        for count in options.replicas:
            env = {"BISENET_THREADS": str(options.threads), "OMP_NUM_THREADS": "1"}
            replicas = [Replica(folder / f"{count}-{i}.log", env).start() for i in range(count)]
            try:
                for replica in replicas:
                    replica.wait_ready()
                    post_photo(replica.url, side=options.side)
                # Every client comes from one address here, so affinity would send all to one.
                with HaProxy(replicas, "none", folder) as balancer:
                    balancer.wait_for(count)
                    for clients in options.clients:
                        before = sum(map(cpu_seconds, replicas))
                        row = measure(balancer.url, clients, options.seconds, script)
                        # What is under way at the end is paid for and not counted.
                        spent = sum(map(cpu_seconds, replicas)) - before
                        answered = row["requests"] - row["refused"]
                        print(
                            f"| {count} | {clients} | {answered / row['seconds']:.2f} "
                            f"| {row['p50']:.0f} | {row['p95']:.0f} "
                            f"| {spent / max(answered, 1) * 1000:.0f} | {row['refused']:.0f} "
                            f"| {row['lost']:.0f} | {max(map(peak_megabytes, replicas)):.0f} |",
                            flush=True,
                        )
            finally:
                for replica in replicas:
                    replica.kill()
    return 0


def cpu_seconds(replica: Replica) -> float:
    """Processor time that the process has used: what a parse costs, however busy the machine."""
    assert replica.process is not None
    fields = Path(f"/proc/{replica.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_megabytes(replica: Replica) -> float:
    """The most memory that the process has held."""
    assert replica.process is not None
    status = Path(f"/proc/{replica.process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    sys.exit(main())
