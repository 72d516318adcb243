"""Parse the sample through a server's API: ``parse_once.py http://127.0.0.1:8080``."""

from __future__ import annotations

import io
import json
import sys
import urllib.request
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


def photo(side: int = 512) -> bytes:
    """The sample face as a JPEG of ``side`` pixels."""
    from bisenet.images import samples

    out = io.BytesIO()
    samples.astronaut().resize((side, side)).save(out, format="JPEG", quality=90)
    return out.getvalue()


def multipart(data: bytes, **options: str) -> tuple[bytes, str]:
    """A form with a photo: its body and its content type."""
    boundary = uuid.uuid4().hex
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in options.items()
    ]
    parts.append(
        f'--{boundary}\r\nContent-Disposition: form-data; name="photo"; filename="secret name.jpg"'
        "\r\nContent-Type: image/jpeg\r\n\r\n".encode()
        + data
        + b"\r\n"
    )
    return b"".join([*parts, f"--{boundary}--\r\n".encode()]), (
        f"multipart/form-data; boundary={boundary}"
    )


def main(url: str) -> int:
    """Parse, and say what came back."""
    body, content_type = multipart(photo())
    request = urllib.request.Request(
        f"{url}/api/parse", body, {"Content-Type": content_type}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        result = json.load(answer)
    names = [region["name"] for region in result["regions"]]
    print(f"parsed by {result['engine']['name']}: {', '.join(names)}")
    return 0 if {"skin", "hair", "nose"} <= set(names) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
