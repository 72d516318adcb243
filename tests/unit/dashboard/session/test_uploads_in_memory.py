"""A photo on its way in is not written to disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartParser

from bisenet.dashboard.session import uploads_in_memory

PHOTO = bytes(range(256)) * 12_000  # 3 MB


def _arrived() -> UploadFile:
    # In a thread of its own: Playwright may keep a loop running in this one.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, _receive()).result()


async def _receive() -> UploadFile:
    async def body() -> AsyncGenerator[bytes, None]:
        yield (
            b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a.jpg"\r\n'
            b"Content-Type: image/jpeg\r\n\r\n"
        )
        yield PHOTO
        yield b"\r\n--x--\r\n"

    headers = Headers({"content-type": "multipart/form-data; boundary=x"})
    form = await MultiPartParser(headers, body()).parse()
    upload = form["photo"]
    assert isinstance(upload, UploadFile)
    return upload


def test_a_large_upload_stays_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MultiPartParser, "spool_max_size", 1 << 20)
    spilt = _arrived()
    assert spilt.file._rolled, "without it, 3 MB go to disk"  # type: ignore[attr-defined]
    uploads_in_memory.keep_in_memory()
    kept = _arrived()
    assert not kept.file._rolled  # type: ignore[attr-defined]
    assert kept.file.read() == PHOTO
