"""The parts of the server that need no server: settings, states, content types, names in logs."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from openapi_spec_validator import validate
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import Message
from streamlit import config
from streamlit.error_util import _log_uncaught_app_exception

from bisenet import runlog, server
from bisenet.engines import ENGINES
from bisenet.parser import FRAMINGS
from bisenet.runtime import admission
from bisenet.serving import api, lifecycle, logs, openapi, security
from bisenet.serving.metrics import Metrics
from bisenet.serving.pages import below
from bisenet.serving.settings import VARIABLES, Settings


class TestSettings:
    def test_defaults_are_those_of_an_empty_environment(self) -> None:
        assert Settings.from_environment({}) == Settings()

    def test_everything_can_be_set(self) -> None:
        settings = Settings.from_environment(
            {
                "PORT": "9000",
                "BISENET_HOST": "127.0.0.1",
                "BISENET_WEIGHTS": "mine",
                "BISENET_DRAIN_SECONDS": "1.5",
                "BISENET_SHUTDOWN_SECONDS": "20",
                "BISENET_BODY_SECONDS": "7",
                "BISENET_ALLOWED_HOSTS": "Faces.example, *.example.org",
                "BISENET_HTTPS": "true",
                "BISENET_LOG_FORMAT": "text",
                "BISENET_BODY_RATE": "2.5",
                "BISENET_HEADER_SECONDS": "3",
                "BISENET_MAX_SOCKETS": "40",
                "BISENET_MAX_SOCKETS_CLIENT": "10",
                "BISENET_MAX_SCRIPTS": "1",
                "BISENET_TRUSTED_PROXIES": "10.0.0.0/8, 2001:db8::1",
                "STREAMLIT_SERVER_MAX_UPLOAD_SIZE": "200",
                "STREAMLIT_SERVER_BASE_URL_PATH": "/lab/faces/",
                "BISENET_STALL_SECONDS": "45",
                "BISENET_OTHER_ENGINES": "true",
            }
        )
        assert settings == Settings(
            port=9000,
            host="127.0.0.1",
            weights="mine",
            drain_seconds=1.5,
            shutdown_seconds=20,
            body_seconds=7,
            body_rate=2.5,
            header_seconds=3,
            max_sockets=40,
            max_sockets_client=10,
            max_scripts=1,
            trusted_proxies=("10.0.0.0/8", "2001:db8::1"),
            allowed_hosts=("faces.example", "*.example.org"),
            https=True,
            log_format="text",
            max_upload_mb=200,
            base_path="/lab/faces",
            stall_seconds=45,
            other_engines=True,
        )

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("PORT", "http"),
            ("PORT", "70000"),
            ("BISENET_DRAIN_SECONDS", "-1"),
            ("BISENET_DRAIN_SECONDS", "30"),
            ("BISENET_SHUTDOWN_SECONDS", "0"),
            ("BISENET_LOG_FORMAT", "xml"),
            ("BISENET_MAX_SOCKETS", "2.5"),
            ("BISENET_TRUSTED_PROXIES", "my-proxy"),
            ("BISENET_TRUSTED_PROXIES", "10.0.0.1/8"),
            ("STREAMLIT_SERVER_MAX_UPLOAD_SIZE", "lots"),
            ("STREAMLIT_SERVER_BASE_URL_PATH", "../etc"),
            ("BISENET_HTTPS", "maybe"),
            ("BISENET_OTHER_ENGINES", "oui"),
        ],
    )
    def test_a_bad_value_is_named(self, name: str, value: str) -> None:
        with pytest.raises(ValueError, match=name):
            Settings.from_environment({name: value})

    def test_every_variable_of_a_setting_is_described(self) -> None:
        assert {"PORT", "BISENET_THREADS", "BISENET_MAX_RUNNING"} <= set(VARIABLES)


class TestLifecycle:
    def test_loading_then_ready_then_draining(self) -> None:
        state = lifecycle.Lifecycle(admission.ParseQueue())
        assert (state.problem, state.ready) == ("loading", False)
        state.loaded()
        assert state.ready
        state.drain()
        assert (state.problem, state.ready) == ("draining", False)

    def test_a_server_without_weights_is_never_ready(self) -> None:
        state = lifecycle.Lifecycle(admission.ParseQueue())
        state.failed("weights")
        assert state.problem == "weights"

    def test_requests_are_bounded_by_the_gate(self) -> None:
        state = lifecycle.Lifecycle(admission.ParseQueue(max_running=1, max_waiting=1))
        with state.request(), state.request():
            assert not state.idle
            with pytest.raises(lifecycle.Busy), state.request():
                pass
        assert state.idle

    def test_a_parse_of_a_page_keeps_the_server_busy(self) -> None:
        state = lifecycle.Lifecycle(admission.ParseQueue())
        with state.queue.admit():
            assert not state.idle
        assert state.idle

    def test_a_parse_without_progress_is_noticed(self) -> None:
        own = admission.ParseQueue(max_running=2)
        state = lifecycle.Lifecycle(own, stall_seconds=0.2, stall_seconds_draining=0.05)
        state.loaded()
        with own.admit() as moved, own.admit():
            assert (state.stalled, state.stuck, state.problem) == (False, False, "")
            for _ in range(6):  # one works on, the other stands still
                time.sleep(0.05)
                moved()
            assert (state.stalled, state.stuck, state.problem) == (True, False, "stalled")
            time.sleep(0.1)
            assert not state.stuck
            state.drain()
            assert state.stuck, "told to go, it waits less long"
        assert (state.stalled, state.stuck) == (False, False)

    def test_the_gate_is_one_a_process(self) -> None:
        found: list[admission.ParseQueue] = []
        thread = threading.Thread(target=lambda: found.append(admission.process_queue()))
        thread.start()
        thread.join()
        assert found == [admission.process_queue()]


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("*/*", api.JSON),
        ("application/json", api.JSON),
        ("image/png", api.PNG),
        ("image/*", api.PNG),
        ("image/png, */*;q=0.1", api.PNG),
        ("image/png;q=0.5, application/json", api.JSON),
        ("application/json, image/png", api.JSON),
        ("text/html, image/png", api.PNG),
        ("", api.JSON),
        (" , ", api.JSON),
        ("image/png;q=0, */*", api.JSON),
        ("application/json;q=0, */*", api.PNG),
        ("image/png;q=0.5, */*;q=0.8", api.JSON),
        ("image/*, image/png;q=0.3, application/json;q=0.4", api.JSON),
        ("application/json;q=0.4, IMAGE/PNG ; Q=0.5", api.PNG),
        ("application/json;version=1;q=0.1, image/*;q=0.2", api.PNG),
        ("*/*;q=0.001", api.JSON),
        ("image/png, */*", api.PNG),
        ("image/png;q=nan, application/json;q=0.1", api.JSON),
        ("image/png;q=9, application/json", api.JSON),
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", api.JSON),
    ],
)
def test_accept_decides_between_json_and_png(accept: str, expected: str) -> None:
    assert api.preferred_media_type(accept) == expected


@pytest.mark.parametrize("accept", ["text/html", "image/jpeg", "image/png;q=0", "*/*;q=0"])
def test_what_cannot_be_had_is_406(accept: str) -> None:
    with pytest.raises(api.ApiError) as error:
        api.preferred_media_type(accept)
    assert error.value.status == 406


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "/"),
        ("/regions", "other"),
        ("/api/parse", "/api/parse"),
        ("/api/parsed", "other"),
        ("/_stcore/upload_file/0b1e-session/file.jpg", "/_stcore/upload_file"),
        ("/_stcore/stream", "/_stcore/stream"),
        ("/media/d41d8cd98f.png", "/media"),
    ],
)
def test_names_of_routes_hold_no_ids(path: str, name: str) -> None:
    assert logs.route_name(path) == name


def test_an_exception_is_logged_without_its_message() -> None:
    try:
        raise ValueError("photo-of-anna.jpg")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "it failed", (), sys.exc_info())
    line = json.loads(logs.JsonFormatter().format(record))
    assert line["message"] == "it failed"
    assert line["error"] == "ValueError"
    assert "test_server_parts" in line["at"][-1]
    assert "anna" not in json.dumps(line)


def test_an_exception_in_text_is_one_line_without_its_message() -> None:
    try:
        raise ValueError("photo-of-anna.jpg")
    except ValueError:
        record = logging.LogRecord(
            "x", logging.ERROR, __file__, 1, "it\nfailed", (), sys.exc_info()
        )
    line = logs.TextFormatter().format(record)
    assert "ERROR x it failed ValueError " in line
    assert "test_server_parts" in line
    assert "anna" not in line
    assert "\n" not in line


def test_streamlit_prints_no_exception_beside_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rich")  # with it, Streamlit prints exceptions itself
    before = config.get_option("logger.enableRich")
    try:
        ours = server._STREAMLIT_OPTIONS["logger.enableRich"]
        for rich, printed in ((True, True), (ours, False)):
            config.set_option("logger.enableRich", rich)
            _log_uncaught_app_exception(ValueError("photo-of-anna.jpg"))
            assert ("anna" in capfd.readouterr().out) is printed
    finally:
        config.set_option("logger.enableRich", before)


def test_the_description_is_valid_openapi() -> None:
    validate(openapi.document())


def test_the_description_names_the_options_and_errors_that_exist() -> None:
    operation: Any = openapi.document()["paths"]["/api/parse"]["post"]
    form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    assert form["framing"]["enum"] == list(FRAMINGS)
    assert form["engine"]["enum"] == list(ENGINES)
    assert set(operation["responses"]) == {"200", *(str(status) for status in openapi.ERRORS)}


def test_metrics_have_their_names() -> None:
    metrics = Metrics(lifecycle.Lifecycle(admission.ParseQueue()))
    metrics.observe(
        runlog.Run(
            at=0.0,
            session="",
            source="api",
            weights="w",
            engine="torch",
            precision="f32",
            device="cpu",
            threads=1,
            input_size=512,
            megapixels=0.3,
            faces=1,
            warm_up=False,
            waited=40.0,
            stages={"network": 120.0},
        )
    )
    text = metrics.text().decode()
    for expected in (
        'bisenet_parses_total{outcome="ok",source="api"} 1.0',
        'bisenet_stage_seconds_sum{stage="network"} 0.12',
        "bisenet_wait_seconds_sum 0.04",
        "bisenet_queue_waiting 0.0",
        "bisenet_parse_stalled_seconds 0.0",
        "bisenet_sessions 0.0",
        "bisenet_ready 0.0",
        "process_resident_memory_bytes",
    ):
        assert expected in text


@pytest.mark.parametrize(
    ("client", "status"),
    [("127.0.0.1", 200), ("10.8.0.7", 200), ("::1", 200), ("35.191.0.9", 404), ("8.8.8.8", 404)],
)
@pytest.mark.parametrize("path", ["/metrics", "/_stcore/metrics", "/lab/_stcore/metrics"])
def test_metrics_are_for_the_inside(path: str, client: str, status: int) -> None:
    assert answered(path, client, "faces.example", ()) == status


@pytest.mark.parametrize(
    ("path", "host", "status"),
    [
        ("/metrics", "10.8.0.7:8080", 200),  # as Prometheus asks a pod
        ("/metrics", "[fd00::7]:8080", 200),
        ("/metrics", "faces.example", 200),
        ("/metrics", "evil.example", 400),
        ("/", "10.8.0.7:8080", 400),
        ("/", "faces.example:443", 200),
        ("/", "FACES.example.:80", 200),
        ("/healthz", "10.8.0.7:8080", 200),
    ],
)
def test_what_is_asked_by_address(path: str, host: str, status: int) -> None:
    assert answered(path, "10.8.0.1", host, ("faces.example",)) == status


def answered(path: str, client: str, host: str, allowed: tuple[str, ...]) -> int:
    """The status of a look at a path, as the security middleware lets it through."""
    settings = Settings(allowed_hosts=allowed, base_path="/lab")
    app = security.Security(PlainTextResponse("numbers"), settings)
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    headers = [(b"host", host.encode())]
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": path, "headers": headers}
    scope["client"] = (client, 1)
    # In a thread of its own: the browser tests leave this one with a running event loop.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, app(scope, receive, send)).result()
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    ("origin", "host", "ours"),
    [
        ("https://faces.example", "faces.example", True),
        ("https://faces.example", "faces.example:443", True),
        ("http://faces.example:80", "faces.example", True),
        ("https://FACES.example", "faces.example", True),
        ("http://127.0.0.1:8080", "127.0.0.1:8080", True),
        ("http://[::1]:8080", "[::1]:8080", True),
        ("http://127.0.0.1:8081", "127.0.0.1:8080", False),
        ("https://evil.example", "faces.example", False),
        ("null", "faces.example", False),
        ("http://[", "faces.example", False),
        ("https://faces.example.evil.example", "faces.example", False),
        ("https://faces.example", "inner:8080", False),
        ("https://known.example", "inner:8080", True),  # a proxy renames it; the name is allowed
        ("https://other.below.example", "inner:8080", False),
        ("https://@known.example", "inner:8080", False),
    ],
)
def test_whose_pages_are_ours(origin: str, host: str, ours: bool) -> None:
    hosts = security.Hosts(("known.example", "*.below.example"))
    assert hosts.is_ours(origin, Headers({"host": host})) is ours


@pytest.mark.parametrize(
    ("path", "base", "rest"),
    [
        ("/faces/regions", "/faces", "/regions"),
        ("/faces/", "/faces", "/"),
        ("/faces", "/faces", None),
        ("/facesx/", "/faces", None),
        ("/healthz", "", "/healthz"),
    ],
)
def test_what_is_below_a_base_path(path: str, base: str, rest: str | None) -> None:
    assert below(path, base) == rest


def test_the_policy_lets_no_foreign_script_in() -> None:
    policy = dict(
        rule.split(" ", 1) for rule in security.content_security_policy().split("; ") if " " in rule
    )
    assert "'unsafe-inline'" not in policy["script-src"]
    assert "'unsafe-eval'" not in policy["script-src"]
    assert not any("http" in sources or "*" in sources for sources in policy.values())
    assert policy["object-src"] == "'none'"
    assert "strict-transport-security" not in security.security_headers(https=False)
    assert "strict-transport-security" in security.security_headers(https=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BISENET_VIEWS_MB", "much"),
        ("BISENET_THREADS", "0"),
        ("BISENET_MAX_RUNNING", "0"),
        ("BISENET_MAX_WAITING", "-1"),
    ],
)
def test_a_setting_that_is_read_elsewhere_is_refused_at_the_start(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    monkeypatch.setattr(server, "process_gate", admission.gate_from_environment)
    assert server.main() == 2
    assert f"error: {name} must be" in capsys.readouterr().err
