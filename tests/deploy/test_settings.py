"""Every documented setting does something: one server with all of them, and what each changes."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect

from bisenet.runtime.settings import VARIABLES
from tests.deploy.parse_once import multipart, photo
from tests.deploy.replicas import Answer, Replica, ask
from tests.drills import hostile
from tests.waiting import PATIENCE_SECONDS, until

ROOT = Path(__file__).resolve().parents[2]
HOST = {"Host": "faces.example"}
BASE = "/lab/faces"
# Those that other tests hold against what they do, by file and name.
ELSEWHERE = {
    "BISENET_BODY_SECONDS": ("deploy/test_api.py", "test_a_photo_that_dribbles_in_is_cut_off"),
    "BISENET_DRAIN_SECONDS": ("deploy/test_api.py", "test_a_second_signal_ends_the_wait"),
    "BISENET_STALL_SECONDS": ("deploy/test_hung_parse.py", "test_two_parses_that_hang"),
    "BISENET_MAX_SCRIPTS": (
        "unit/dashboard/session/test_script_runs.py",
        "test_so_many_run_at_a_time",
    ),
    "BISENET_VIEWS_MB": (
        "unit/dashboard/session/test_view_store.py",
        "test_the_environment_or_the_memory_says_how_much",
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("settings")


@pytest.fixture(scope="module")
def environment(folder: Path) -> dict[str, str]:
    weights = folder / "weights"
    weights.mkdir()
    for file in (ROOT / "weights").iterdir():
        (weights / file.name).symlink_to(file)
    manifest = (weights / "manifest.toml").read_text().replace('"bisenet-resnet18"', '"mine"')
    (weights / "manifest.toml").unlink()
    (weights / "manifest.toml").write_text(manifest)
    return {
        "BISENET_HOST": "127.0.0.1",
        "BISENET_WEIGHTS": "mine",
        "BISENET_WEIGHTS_DIR": str(weights),
        "BISENET_STATE_DIR": str(folder / "state"),
        "BISENET_CACHE_DIR": str(folder / "cache"),
        "BISENET_THREADS": "2",
        "BISENET_MAX_RUNNING": "1",
        "BISENET_MAX_WAITING": "3",
        "BISENET_OTHER_ENGINES": "true",
        "BISENET_DRAIN_SECONDS": "0",
        "BISENET_SHUTDOWN_SECONDS": "4",
        "BISENET_BODY_RATE": "50",
        "BISENET_HEADER_SECONDS": "1",
        "BISENET_MAX_SOCKETS": "5",
        "BISENET_MAX_SOCKETS_CLIENT": "3",
        "BISENET_TRUSTED_PROXIES": "127.0.0.64/26",
        "BISENET_ALLOWED_HOSTS": "faces.example",
        "BISENET_HTTPS": "true",
        "BISENET_LOG_FORMAT": "text",
        "STREAMLIT_SERVER_MAX_UPLOAD_SIZE": "1",
        "STREAMLIT_SERVER_BASE_URL_PATH": "lab/faces",
        "BISENET_NO_SUCH_THING": "1",
    }


@pytest.fixture(scope="module")
def odd(folder: Path, environment: dict[str, str]) -> Iterator[Replica]:
    """The server with all of them."""
    replica = Replica(folder / "server.log", environment).start()
    yield replica.wait_ready()
    replica.kill()


@pytest.fixture(scope="module")
def trickle(odd: Replica) -> Iterator[socket.socket]:
    """A body that stalls from the first test on; it is looked at in the last."""
    with hostile.connect(odd.port, "127.0.0.5") as client:
        client.sendall(
            b"POST /api/parse HTTP/1.1\r\nHost: faces.example\r\nContent-Length: 100000\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
        )
        yield client


def parse(replica: Replica, side: int = 256, path: str = "/api/parse", **options: str) -> Answer:
    body, content_type = multipart(photo(side), **options)
    return ask(replica.url, path, "POST", body, {**HOST, "Content-Type": content_type})


def metric(replica: Replica, name: str) -> float:
    text = ask(replica.url, "/metrics", headers=HOST).body.decode()
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    assert found, name
    return float(found[1])


def test_every_variable_is_tested_by_its_effect(environment: dict[str, str]) -> None:
    here = {"PORT", "STREAMLIT_SERVER_COOKIE_SECRET"} | set(environment)
    assert set(VARIABLES) <= here | set(ELSEWHERE)
    for file, name in ELSEWHERE.values():
        assert f"def {name}(" in (ROOT / "tests" / file).read_text(), name


def test_weights_threads_and_folders(
    odd: Replica, trickle: socket.socket, environment: dict[str, str]
) -> None:
    result = parse(odd).json()
    assert result["weights"] == "mine"
    assert result["engine"]["threads"] == 2
    for name in ("BISENET_STATE_DIR", "BISENET_CACHE_DIR"):
        assert list(Path(environment[name]).iterdir()), name


def test_another_engine_parses(odd: Replica) -> None:
    assert parse(odd, engine="torch").json()["engine"]["name"] == "torch"
    assert parse(odd).json()["engine"]["name"] != "torch"


def test_it_listens_on_its_own_address_only(odd: Replica) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", odd.port), 5)


def test_the_size_of_the_queue(odd: Replica) -> None:
    assert metric(odd, "bisenet_queue_limit") == 3
    assert metric(odd, "bisenet_queue_running_limit") == 1


def test_hosts_and_https(odd: Replica) -> None:
    assert ask(odd.url, f"{BASE}/").status == 400
    assert b"BISENET_ALLOWED_HOSTS" in ask(odd.url, f"{BASE}/").body
    answer = ask(odd.url, f"{BASE}/", headers={"Host": "faces.example:443"})
    assert answer.status == 200
    assert "strict-transport-security" in answer.headers


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        ("https://faces.example", "faces.example", " 101 "),
        ("https://faces.example:443", "faces.example", " 101 "),
        ("http://faces.example", "faces.example:80", " 101 "),
        ("https://evil.example", "faces.example", " 403 "),
    ],
)
def test_whose_pages_may_open_a_socket(odd: Replica, origin: str, host: str, status: str) -> None:
    client, head = hostile.shake_hands(
        odd.port, headers=f"Origin: {origin}\r\n", path=f"{BASE}/_stcore/stream", host=host
    )
    with client:
        assert status in head


def test_only_configured_proxies_are_believed(odd: Replica) -> None:
    stranger = {**HOST, "X-Forwarded-For": "8.8.8.8"}
    assert ask(odd.url, "/metrics", headers=stranger).status == 200
    assert ask(odd.url, "/metrics", headers=stranger, source="127.0.0.70").status == 404
    named = {"X-Forwarded-Host": "faces.example", "Host": "inner"}
    assert ask(odd.url, f"{BASE}/", headers=named, source="127.0.0.70").status == 200
    assert ask(odd.url, f"{BASE}/", headers=named).status == 400


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        (f"{BASE}/", 200, "text/html"),
        (f"{BASE}/regions", 200, "text/html"),
        (f"{BASE}/_stcore/health", 200, "text/plain"),
        ("/healthz", 200, "text/plain"),
        (f"{BASE}/healthz", 200, "text/plain"),
        ("/readyz", 200, "text/plain"),
        (f"{BASE}/api/openapi.json", 200, "application/json"),
        (f"{BASE}/api/nothing", 404, "application/json"),
        ("/", 307, ""),
        (BASE, 307, ""),
        # What a probe of a wrong path gets is no page.
        ("/regions", 404, "text/html"),
        ("/health", 404, "text/html"),
        ("/lab/healthz", 404, "text/html"),
        (f"{BASE}/health", 404, "text/html"),
        (f"{BASE}/readyz/x", 404, "text/plain"),
        (f"{BASE}/ready", 404, "text/html"),
        ("/_stcore/health", 404, "text/html"),
        (f"{BASE}/_stcore/healthz", 404, "text/html"),
        (f"{BASE}/static/healthz", 404, "text/html"),
        (f"{BASE}/component", 404, "text/html"),
    ],
)
def test_where_things_are_below_a_base_path(
    odd: Replica, path: str, status: int, kind: str
) -> None:
    answer = ask(odd.url, path, headers=HOST)
    assert answer.status == status
    assert answer.headers.get("content-type", "").startswith(kind)
    assert (b'<div id="root">' in answer.body) == (status == 200 and kind == "text/html")


def test_the_api_below_the_base_path(odd: Replica) -> None:
    assert parse(odd, path=f"{BASE}/api/parse").status == 200


def page(replica: Replica, source: str = "127.0.0.1") -> ClientConnection:
    return connect(
        f"ws://faces.example/{BASE[1:]}/_stcore/stream",
        sock=hostile.connect(replica.port, source),
        subprotocols=["streamlit"],  # type: ignore[list-item]
        compression=None,
    )


def test_the_largest_upload(odd: Replica) -> None:
    with page(odd) as client:
        wish = BackMsg()
        wish.rerun_script.query_string = ""
        client.send(wish.SerializeToString())
        news = ForwardMsg.FromString(client.recv(30))
        while news.WhichOneof("type") != "new_session":
            news = ForwardMsg.FromString(client.recv(30))
        session = news.new_session.initialize.session_id
        cookie = ask(odd.url, f"{BASE}/_stcore/health", headers=HOST).headers["set-cookie"]
        token = re.search(r"_streamlit_xsrf=([^;]+)", cookie)
        assert token
        for size, status in ((1 << 19, 204), (3 << 19, 413)):
            body, content_type = multipart(bytes(size))
            headers = {
                **HOST,
                "Content-Type": content_type,
                "Cookie": f"_streamlit_xsrf={token[1]}",
                "X-Xsrftoken": token[1],
            }
            path = f"{BASE}/_stcore/upload_file/{session}/0b1e"
            assert ask(odd.url, path, "PUT", body, headers).status == status


def test_open_pages_are_bounded_by_client_and_in_all(odd: Replica) -> None:
    def is_open(source: str, forwarded: str = "") -> bool:
        headers = f"X-Forwarded-For: {forwarded}\r\n" if forwarded else ""
        client, head = hostile.shake_hands(
            odd.port, source, headers=headers, path=f"{BASE}/_stcore/stream", host="faces.example"
        )
        opened.enter_context(client)
        if " 101 " not in head:
            assert " 503 " in head
            assert "retry-after" in head
        return " 101 " in head

    with ExitStack() as opened:
        assert [is_open("127.0.0.2") for _ in range(4)] == [True] * 3 + [False]
        assert is_open("127.0.0.70", "192.0.2.1"), "another client, behind a proxy"
        assert is_open("127.0.0.70", "192.0.2.2")
        assert not is_open("127.0.0.3"), "five are open in all"

    def is_free() -> bool:
        with opened:
            return is_open("127.0.0.3")

    until(is_free)


def test_a_head_that_does_not_come(odd: Replica) -> None:
    with hostile.connect(odd.port) as client:
        client.sendall(b"GET /hea")
        assert hostile.is_closed(client, PATIENCE_SECONDS)


def test_the_log_is_text_without_addresses_and_names_what_does_nothing(odd: Replica) -> None:
    lines = odd.log.read_text().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00 [A-Z]+ ", line) for line in lines)
    assert "BISENET_NO_SUCH_THING" in odd.log.read_text()
    assert not re.search(r"127\.0\.0\.\d|192\.0\.2|8\.8\.8\.8", odd.log.read_text())


def test_a_least_rate(odd: Replica, trickle: socket.socket) -> None:
    trickle.settimeout(PATIENCE_SECONDS)
    assert b" 408 " in trickle.recv(4096).splitlines()[0]


def test_it_is_gone_in_time_whatever_still_runs(odd: Replica) -> None:
    with hostile.connect(odd.port, "127.0.0.5") as client:
        client.sendall(
            b"POST /api/parse HTTP/1.1\r\nHost: faces.example\r\nContent-Length: 100000\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n" + bytes(60_000)
        )
        ask(odd.url, "/healthz", headers=HOST)  # the loop that answers has met the body, too
        # By its rate the body may take 20 minutes, and 30 s is what BISENET_SHUTDOWN_SECONDS is
        # where it is not set.
        odd.terminate(25)


def test_the_cookie_secret_is_streamlits() -> None:
    script = "from streamlit import config; print(config.get_option('server.cookieSecret'))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "STREAMLIT_SERVER_COOKIE_SECRET": "s3"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "s3"
