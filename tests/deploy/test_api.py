"""``POST /api/parse`` and its neighbours, on a real server process."""

from __future__ import annotations

import base64
import io
import json
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from PIL import Image

from bisenet.engines import ENGINES
from bisenet.images import samples
from bisenet.measure.regions import COLUMNS
from bisenet.parser import FaceParser
from bisenet.serving import openapi
from tests.deploy.parse_once import multipart, photo
from tests.deploy.replicas import Answer, Replica, ask, post_photo
from tests.waiting import until


def send(url: str, data: bytes, accept: str = "*/*", **options: str) -> Answer:
    body, content_type = multipart(data, **options)
    headers = {"Content-Type": content_type, "Accept": accept}
    return ask(url, "/api/parse", "POST", body, headers)


def check_against_description(url: str, answer: Answer) -> None:
    """The answer is one that ``/api/openapi.json`` promises, to the letter."""
    document = ask(url, "/api/openapi.json").json()
    promised = document["paths"]["/api/parse"]["post"]["responses"][str(answer.status)]
    media_type = answer.headers["content-type"]
    schema = promised["content"][media_type]["schema"]
    if media_type == "application/json":
        whole = {**schema, "components": document["components"]}
        Draft202012Validator(whole).validate(answer.json())
    for name in promised["headers"]:
        assert name.lower() in answer.headers


def error_code(answer: Answer) -> str:
    code: str = answer.json()["error"]["code"]
    return code


def test_a_photo_comes_back_measured(server: Replica) -> None:
    answer = send(server.url, photo(512), framing="whole")
    assert answer.status == 200
    check_against_description(server.url, answer)
    result = answer.json()
    assert (result["width"], result["height"]) == (512, 512)
    regions = {region["name"]: region for region in result["regions"]}
    assert {"skin", "hair", "nose", "l_eye", "r_eye"} <= set(regions)
    assert set(regions["skin"]) == set(COLUMNS)
    assert regions["background"]["head_share"] is None
    assert sum(region["area_px"] for region in regions.values()) == 512 * 512
    with Image.open(io.BytesIO(base64.b64decode(result["mask"]["data"]))) as mask:
        assert (mask.mode, mask.size) == ("P", (512, 512))
        areas = np.bincount(np.asarray(mask).ravel(), minlength=19)
    assert areas[regions["hair"]["class_id"]] == regions["hair"]["area_px"]


def test_it_is_the_parse_of_the_package(server: Replica) -> None:
    source = io.BytesIO()
    samples.astronaut().save(source, format="PNG")
    expected = FaceParser().parse(samples.astronaut()).mask
    answer = send(server.url, source.getvalue(), "image/png")
    with Image.open(io.BytesIO(answer.body)) as mask:
        assert np.mean(np.asarray(mask) == expected) > 0.999


def test_what_was_not_looked_at_is_0_or_255_as_asked(server: Replica) -> None:
    scene = Image.new("RGB", (1000, 900), "grey")
    scene.paste(samples.astronaut(), (250, 388))
    source = io.BytesIO()
    scene.save(source, format="PNG")
    masks = {}
    for value in ("0", "255"):
        answer = send(server.url, source.getvalue(), unknown=value)
        check_against_description(server.url, answer)
        result = answer.json()
        assert result["mask"]["unknown"] == int(value)
        with Image.open(io.BytesIO(base64.b64decode(result["mask"]["data"]))) as mask:
            masks[value] = np.asarray(mask)
    looked_at = masks["255"] != 255
    assert looked_at.sum() == result["parsed_px"] < looked_at.size
    assert (masks["0"] == np.where(looked_at, masks["255"], 0)).all()
    assert sum(region["parsed_share"] for region in result["regions"]) == pytest.approx(1)
    assert sum(region["image_share"] for region in result["regions"]) < 0.99
    assert result["faces"][0]["cut_off"] == ["cloth"]
    assert [r["name"] for r in result["regions"] if r["cut_off"]] == ["cloth"]
    alone = send(server.url, source.getvalue(), "image/png", unknown="255")
    with Image.open(io.BytesIO(alone.body)) as mask:
        assert (np.asarray(mask) == masks["255"]).all()
    refused = send(server.url, source.getvalue(), unknown="19")
    assert (refused.status, error_code(refused)) == (400, "bad_option")


def test_accept_png_gives_the_mask_alone(server: Replica) -> None:
    answer = send(server.url, photo(256), "image/png")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/png")
    assert answer.headers["cache-control"] == "no-store"
    check_against_description(server.url, answer)
    with Image.open(io.BytesIO(answer.body)) as mask:
        assert mask.size == (256, 256)


def test_the_servers_own_engine_alone_can_be_asked_for(server: Replica) -> None:
    own = send(server.url, photo(256)).json()["engine"]
    name = own["name"] + ("" if own["precision"] == "f32" else f"-{own['precision']}")
    assert send(server.url, photo(256), engine=name).json()["engine"] == own
    refused = send(server.url, photo(256), engine="torch")
    assert (refused.status, error_code(refused)) == (400, "bad_option")
    assert "BISENET_OTHER_ENGINES" in refused.json()["error"]["message"]
    check_against_description(server.url, refused)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "HEIF", "GIF", "TIFF"])
def test_other_formats(server: Replica, kind: str) -> None:
    out = io.BytesIO()
    samples.astronaut().save(out, format=kind)
    assert send(server.url, out.getvalue()).status == 200


JPEG = photo(256)


@pytest.mark.parametrize(
    ("data", "options", "status", "code"),
    [
        (b"not an image at all", {}, 415, "not_an_image"),
        (JPEG[: len(JPEG) // 2], {}, 422, "bad_image"),
        (b"", {}, 422, "bad_image"),
        (JPEG, {"framing": "sideways"}, 400, "bad_option"),
        (JPEG, {"engine": "steam"}, 400, "bad_option"),
        (JPEG, {"colour": "red"}, 400, "bad_option"),
        (JPEG, {"framing": "x" * 5000}, 400, "bad_form"),
        (b"\0" * (50 * 2**20 + 1), {}, 413, "too_large"),
        (b"\0" * (60 * 2**20), {}, 413, "too_large"),
    ],
    ids=lambda value: str(value)[:20] if not isinstance(value, bytes) else f"{len(value)} bytes",
)
def test_what_is_refused(
    server: Replica, data: bytes, options: dict[str, str], status: int, code: str
) -> None:
    answer = send(server.url, data, **options)
    assert (answer.status, error_code(answer)) == (status, code)
    check_against_description(server.url, answer)


def test_a_picture_of_too_many_pixels_is_refused(server: Replica) -> None:
    out = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(out, format="PNG")
    answer = send(server.url, out.getvalue())
    assert (answer.status, error_code(answer)) == (422, "bad_image")


def test_neither_json_nor_png_is_406(server: Replica) -> None:
    answer = send(server.url, JPEG, "text/html")
    assert (answer.status, error_code(answer)) == (406, "not_acceptable")


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [("/api/parse", "GET", 405), ("/api/parse", "DELETE", 405), ("/api/nothing", "GET", 404)],
)
def test_other_routes_below_api_are_not_the_page(
    server: Replica, path: str, method: str, status: int
) -> None:
    answer = ask(server.url, path, method)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"


def test_the_description_is_the_one_of_the_code(server: Replica) -> None:
    served = ask(server.url, "/api/openapi.json").json()
    assert served == json.loads(json.dumps(openapi.document()))
    form = served["paths"]["/api/parse"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert form["schema"]["properties"]["engine"]["enum"] == list(ENGINES)
    for path, operations in served["paths"].items():
        for method in operations:
            assert ask(server.url, path, method.upper()).status != 404


def test_the_dashboard_is_served_too(server: Replica) -> None:
    page = ask(server.url, "/")
    assert page.status == 200
    assert b'<div id="root">' in page.body


def metric(server: Replica, name: str) -> float:
    text = ask(server.url, "/metrics").body.decode()
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_metrics_count_what_happened(server: Replica) -> None:
    value = partial(metric, server)
    ok = 'bisenet_parses_total{outcome="ok",source="api"}'
    bad = 'bisenet_parses_total{outcome="not_an_image",source="api"}'
    before = value(ok), value(bad)
    send(server.url, JPEG)
    send(server.url, b"no")
    assert (value(ok), value(bad)) == (before[0] + 1, before[1] + 1)
    assert value('bisenet_stage_seconds_count{stage="network"}') >= 1
    assert value("bisenet_ready") == 1
    assert value("bisenet_queue_limit") == 32
    assert value("process_resident_memory_bytes") > 1e8


@pytest.mark.parametrize(("side", "most"), [(1500, 2), (5700, 1)])
def test_two_photos_are_parsed_at_once_unless_they_are_large(
    server: Replica, side: int, most: int
) -> None:
    running, waiting = list[float](), list[float]()
    with ThreadPoolExecutor(3) as people:
        answers = [people.submit(post_photo, server.url, side=side) for _ in range(3)]
        while not all(answer.done() for answer in answers):
            running.append(metric(server, "bisenet_queue_running"))
            waiting.append(metric(server, "bisenet_queue_waiting"))
    assert [answer.result().status for answer in answers] == [200] * 3
    assert max(running) == most
    assert max(waiting) >= 3 - most, "the rest waited"


def test_one_json_line_a_request_and_nothing_of_the_photo(server: Replica) -> None:
    body, content_type = multipart(JPEG)
    headers = {"Content-Type": content_type, "X-Request-ID": "my-own-id-0001"}
    answer = ask(server.url, "/api/parse", "POST", body, headers)
    assert answer.headers["x-request-id"] == answer.json()["id"] == "my-own-id-0001"
    ask(server.url, "/healthz")
    (line,) = [line for line in server.requests("/api/parse") if line["id"] == "my-own-id-0001"]
    assert line["outcome"] == "ok"
    assert line["bytes_in"] == len(body)
    assert line["ms"] > 0
    assert (line["width"], line["height"]) == (256, 256)
    assert not server.requests("/healthz")
    # The forms of these tests call the photo "secret name.jpg".
    assert "secret" not in server.log.read_text()


def test_a_strange_request_id_is_replaced(server: Replica) -> None:
    answer = ask(server.url, "/healthz", headers={"X-Request-ID": "x\ty; drop"})
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])


def test_a_client_that_leaves_does_not_stay_in_the_queue(server: Replica) -> None:
    body, content_type = multipart(JPEG)
    head = (
        f"POST /api/parse HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    for cut in (len(body) // 2, len(body)):
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(head + body[:cut])
    assert post_photo(server.url).status == 200
    assert b"bisenet_queue_waiting 0.0" in ask(server.url, "/metrics").body


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Replica, list[Answer]]]:
    """A server of its own, with a narrow gate and little patience; and what it said at first."""
    env = {
        "BISENET_MAX_WAITING": "1",
        "BISENET_BODY_SECONDS": "2",
        "BISENET_ALLOWED_HOSTS": "faces.example",
        "BISENET_DRAIN_SECONDS": "1",
        "BISENET_SHUTDOWN_SECONDS": "90",
    }
    replica = Replica(tmp_path_factory.mktemp("narrow") / "server.log", env).start()
    begun = [ask_until_it_listens(replica), post_named(replica)]
    yield replica.wait_ready(), begun
    replica.kill()


class TestLimits:
    """The narrow server; the last test sends it away."""

    def test_not_ready_while_the_network_loads(self, narrow: Any) -> None:
        _, (ready, parse) = narrow
        assert (ready.status, ready.body) == (503, b"loading")
        assert (parse.status, error_code(parse)) == (503, "loading")
        assert parse.headers["retry-after"]

    def test_a_full_queue_is_429(self, narrow: Any) -> None:
        replica, _ = narrow
        with ThreadPoolExecutor(8) as people:
            answers = list(people.map(lambda _: post_named(replica, 1500), range(8)))
        statuses = sorted(answer.status for answer in answers)
        assert set(statuses) == {200, 429}
        full = next(answer for answer in answers if answer.status == 429)
        assert error_code(full) == "queue_full"
        assert 1 <= int(full.headers["retry-after"]) <= 60

    def test_a_photo_that_dribbles_in_is_cut_off(self, narrow: Any) -> None:
        replica, _ = narrow
        head = (
            "POST /api/parse HTTP/1.1\r\nHost: faces.example\r\nContent-Length: 1000\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
        )
        with socket.create_connection(("127.0.0.1", replica.port), timeout=10) as client:
            client.sendall(head.encode())
            assert b" 408 " in client.recv(4096).splitlines()[0]

    def test_other_hosts_are_not_served(self, narrow: Any) -> None:
        replica, _ = narrow
        for path in ("/", "/api/openapi.json", "/_stcore/host-config"):
            assert ask(replica.url, path).status == 400
            assert ask(replica.url, path, headers={"Host": "faces.example"}).status == 200
        assert ask(replica.url, "/readyz").status == 200

    def test_sigterm_lets_the_running_parse_finish(self, narrow: Any) -> None:
        replica, _ = narrow
        with ThreadPoolExecutor(2) as people:
            large = people.submit(post_named, replica, 2000)
            until(lambda: b"bisenet_queue_running 1.0" in metrics(replica), "the parse starts")
            replica.process.terminate()
            until(lambda: ask(replica.url, "/readyz").status != 200, "it is draining")
            assert ask(replica.url, "/readyz").body == b"draining"
            assert ask(replica.url, "/healthz").status == 200
            refused = post_named(replica)
            assert (refused.status, error_code(refused)) == (503, "draining")
            assert refused.headers["retry-after"]
            assert large.result().status == 200
        assert replica.process.wait(60) == 0
        assert [line["message"] for line in replica.lines()[-1:]] == ["stopped"]


def metrics(replica: Replica) -> bytes:
    return ask(replica.url, "/metrics", headers={"Host": "faces.example"}).body


def post_named(replica: Replica, side: int = 256) -> Answer:
    return post_photo(replica.url, side=side, headers={"Host": "faces.example"})


def ask_until_it_listens(replica: Replica) -> Answer:
    answers: list[Answer] = []

    def listens() -> bool:
        with suppress(OSError):
            answers.append(ask(replica.url, "/readyz"))
        return bool(answers)

    until(listens, "the server listens")
    return answers[0]


def test_a_second_signal_ends_the_wait(tmp_path: Path) -> None:
    env = {"BISENET_DRAIN_SECONDS": "300", "BISENET_SHUTDOWN_SECONDS": "600"}
    replica = Replica(tmp_path / "server.log", env).start()
    ask_until_it_listens(replica)
    assert replica.process is not None
    replica.process.terminate()
    until(lambda: ask(replica.url, "/readyz").body == b"draining")
    assert replica.terminate(60) == 0


def test_without_weights_it_is_alive_but_never_ready(tmp_path: Path) -> None:
    replica = Replica(tmp_path / "server.log", {"BISENET_WEIGHTS_DIR": str(tmp_path)}).start()
    ask_until_it_listens(replica)
    until(lambda: ask(replica.url, "/readyz").body != b"loading")
    answer = ask(replica.url, "/readyz")
    assert (answer.status, answer.body) == (503, b"weights")
    assert ask(replica.url, "/healthz").status == 200
    assert error_code(post_photo(replica.url)) == "not_ready"
    replica.kill()


@pytest.mark.parametrize(
    "env", [{"BISENET_LOG_FORMAT": "xml"}, {"BISENET_MAX_RUNNING": "0"}, {"PORT": "x"}]
)
def test_a_wrong_setting_is_one_sentence(tmp_path: Path, env: dict[str, str]) -> None:
    replica = Replica(tmp_path / "server.log", env)
    if "PORT" in env:
        replica.port = env["PORT"]  # type: ignore[assignment]
    replica.start()
    assert replica.process is not None
    assert replica.process.wait(60) == 2
    assert replica.log.read_text().startswith("error: ")
    assert len(replica.log.read_text().splitlines()) == 1
