"""What clients send to ``POST /api/parse``: forms that are odd, Accept lines, and notices back."""

from __future__ import annotations

import http.client
import io
import re
from contextlib import closing

import pytest
from PIL import Image

from tests.deploy.parse_once import multipart
from tests.deploy.replicas import Replica, ask
from tests.deploy.test_api import JPEG, check_against_description, error_code, send


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"{}", "application/json", 415, "not_a_form"),
        (b"", "", 415, "not_a_form"),
        (b"garbage", "multipart/form-data", 400, "bad_form"),
        (b"garbage", "multipart/form-data; boundary=x", 400, "bad_form"),
        (
            b'--x\r\nContent-Disposition: form-data; name="' + b"a" * 99 + b'"\r\n\r\n1\r\n--x--',
            "multipart/form-data; charset=undefined; boundary=x",
            400,
            "bad_form",
        ),
        (multipart(JPEG)[0].replace(b'"photo"', b'"picture"'), None, 400, "no_photo"),
        (multipart(JPEG)[0] + multipart(JPEG)[0], None, 400, "bad_form"),
    ],
)
def test_malformed_forms(
    server: Replica, body: bytes, content_type: str | None, status: int, code: str
) -> None:
    if content_type is None:
        boundary = body[2:34].decode()
        body = re.sub(rb"--[0-9a-f]{32}", b"--" + boundary.encode(), body)
        if body.count(b"filename=") == 2:
            body = body.replace(f"--{boundary}--\r\n".encode(), b"", 1)
        content_type = f"multipart/form-data; boundary={boundary}"
    answer = ask(server.url, "/api/parse", "POST", body, {"Content-Type": content_type})
    assert (answer.status, error_code(answer)) == (status, code)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (b"", "it has no filename"),
        (b"; filename*=UTF-8''M%C3%BCller.jpg", "stands in filename* alone"),
    ],
)
@pytest.mark.parametrize("data", [JPEG, b"short"], ids=["photo", "short"])
def test_a_photo_without_a_filename_is_told_so(
    server: Replica, name: bytes, says: str, data: bytes
) -> None:
    body, content_type = multipart(data)
    body = body.replace(b'; filename="secret name.jpg"', name)
    answer = ask(server.url, "/api/parse", "POST", body, {"Content-Type": content_type})
    assert (answer.status, error_code(answer)) == (400, "no_photo")
    check_against_description(server.url, answer)
    assert says in answer.json()["error"]["message"]


def test_a_name_in_both_forms_is_a_file(server: Replica) -> None:
    body, content_type = multipart(JPEG)
    both = b"; filename=\"secret name.jpg\"; filename*=UTF-8''M%C3%BCller.jpg"
    body = body.replace(b'; filename="secret name.jpg"', both)
    assert ask(server.url, "/api/parse", "POST", body, {"Content-Type": content_type}).status == 200


def test_what_the_parse_has_to_say_is_in_the_answer(server: Replica) -> None:
    out = io.BytesIO()
    frames = [Image.new("RGB", (64, 64), color) for color in ("grey", "white")]
    frames[0].save(out, format="GIF", save_all=True, append_images=frames[1:])
    answer = send(server.url, out.getvalue())
    check_against_description(server.url, answer)
    animation, no_face = answer.json()["notices"]
    assert "animation of 2 frames" in animation
    assert no_face.startswith("No face was found")


def test_several_accept_lines_are_one_and_an_empty_one_takes_anything(server: Replica) -> None:
    body, content_type = multipart(JPEG)
    for lines, wanted in (
        (("application/json;q=0.2", "image/png"), "image/png"),
        (("",), "application/json"),
    ):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        with closing(connection):
            connection.putrequest("POST", "/api/parse")
            connection.putheader("Content-Type", content_type)
            connection.putheader("Content-Length", str(len(body)))
            for line in lines:
                connection.putheader("Accept", line)
            connection.endheaders(body)
            answer = connection.getresponse()
            assert (answer.status, answer.getheader("content-type")) == (200, wanted)
            answer.read()
