"""Sessions that come in waves, as browsers do that lost their server: 9 waves of 20.

python tests/drills/waves.py [--waves 9] [--people 20]
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

from tests.deploy.replicas import Replica
from tests.drills import hostile

PATIENCE = 60.0


def session(replica: Replica, source: str) -> float:
    """One browser: connect, run the page once, leave. Seconds until its page was there."""
    begin = time.monotonic()
    address = f"ws://127.0.0.1:{replica.port}/_stcore/stream"
    with connect(
        address,
        subprotocols=["streamlit"],  # type: ignore[list-item]
        source_address=(source, 0),
        max_size=None,
        open_timeout=PATIENCE,
        ping_interval=None,
    ) as socket:
        wish = BackMsg()
        wish.rerun_script.query_string = ""
        socket.send(wish.SerializeToString())
        while time.monotonic() < begin + PATIENCE:
            data = socket.recv(PATIENCE)
            assert isinstance(data, bytes)
            news = ForwardMsg.FromString(data)
            if news.WhichOneof("type") == "script_finished":
                return time.monotonic() - begin
    raise TimeoutError("the page did not come")


def main() -> int:
    """Run the waves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waves", type=int, default=9)
    parser.add_argument("--people", type=int, default=20, help="sessions in a wave (20)")
    options = parser.parse_args()
    with hostile.server() as replica:
        session(replica, "127.0.0.1")
        seconds: list[float] = []
        lost = 0
        begin = time.monotonic()
        with hostile.Watch(replica) as watch, ThreadPoolExecutor(options.people * 2) as people:
            tasks = []
            for wave in range(options.waves):
                tasks += [
                    people.submit(session, replica, f"127.0.{wave}.{person + 10}")
                    for person in range(options.people)
                ]
                time.sleep(2.5)
            for task in tasks:
                try:
                    seconds.append(task.result())
                except Exception:
                    lost += 1
        took = time.monotonic() - begin
        ranked = sorted(seconds)
        print(
            f"{options.waves} waves of {options.people} in {took:.0f} s: {len(ranked)} pages, "
            f"median {ranked[len(ranked) // 2]:.1f} s, worst {ranked[-1]:.1f} s, {lost} lost"
        )
        print(f"  {watch}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
