"""Reads the one form that the API takes, and stops reading when it is too much."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, BinaryIO

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

# Boundaries, part headers and options around the photo itself.
_OVERHEAD_BYTES = 64 * 1024
PHOTO = "photo"


class FormError(Exception):
    """A form that is refused: HTTP status, a code for programs, a sentence for people."""

    def __init__(self, status: int, code: str, message: str):
        super().__init__(message)
        self.status, self.code = status, code


class _Parser(MultiPartParser):
    """Says of a photo that comes as text what it is, before its bytes are too many for a text."""

    def on_headers_finished(self) -> None:
        super().on_headers_finished()
        part = self._current_part
        if part.field_name == PHOTO and part.file is None:
            disposition = bytes(part.content_disposition or b"").lower()
            why = (
                "its name stands in filename* alone, which forms do not know (RFC 7578)"
                if b"filename*" in disposition
                else "it has no filename"
            )
            raise FormError(
                400,
                "no_photo",
                f"The part '{PHOTO}' came as text, not as a file: {why}. "
                f'Send it with filename="photo.jpg".',
            )


class Upload:
    """A photo that has arrived, in memory, and its options."""

    def __init__(self, file: UploadFile, options: Mapping[str, Any]):
        self._file = file
        self.options = options

    def open(self) -> BinaryIO:
        """The photo's bytes, from their start."""
        self._file.file.seek(0)
        return self._file.file

    def __enter__(self) -> Upload:
        return self

    def __exit__(self, *_: object) -> None:
        """Delete the photo."""
        self._file.file.close()


async def read_form(
    request: Request, max_bytes: int, choices: Mapping[str, Collection[str]]
) -> Upload:
    """Read ``photo`` and the options.

    Args:
        request: not read from yet.
        max_bytes: the largest photo.
        choices: option name to its allowed values.

    Raises:
        FormError: 400 malformed, 413 too large, 415 not a form.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise FormError(415, "not_a_form", "Send the photo as multipart/form-data.")
    limit = max_bytes + _OVERHEAD_BYTES
    too_large = FormError(
        413, "too_large", f"The photo is larger than the limit of {max_bytes // 2**20} MB."
    )
    declared = request.headers.get("content-length")
    if declared and declared.isdigit() and int(declared) > limit:
        raise too_large
    received = 0

    async def bounded() -> Message:
        # The declared length may be missing or a lie; what arrives is what counts.
        nonlocal received
        message = await request.receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise too_large
        return message

    try:
        form = await _Parser(
            request.headers,
            Request(request.scope, bounded).stream(),
            max_files=1,
            max_fields=len(choices) + 1,
            max_part_size=1024,
        ).parse()
    except MultiPartException as error:
        raise FormError(400, "bad_form", f"The form cannot be read. {error.message}") from error
    except UnicodeError as error:  # of the charset named undefined, say
        raise FormError(400, "bad_form", "The form's charset cannot be read. Use UTF-8.") from error
    except ClientDisconnect as error:
        raise FormError(400, "cut_off", "The photo was cut off.") from error
    file = form.get(PHOTO)
    if not isinstance(file, UploadFile) or len(form.getlist(PHOTO)) != 1:
        raise FormError(400, "no_photo", f"The form needs one file in the field '{PHOTO}'.")
    if (file.size or 0) > max_bytes:
        file.file.close()
        raise too_large
    options = {name: value for name, value in form.multi_items() if name != PHOTO}
    for name, value in options.items():
        if name not in choices:
            raise FormError(400, "bad_option", f"There is no option {str(name)[:40]!r}.")
        if value not in choices[name]:
            raise FormError(
                400, "bad_option", f"The option {name} is one of: {', '.join(choices[name])}."
            )
    return Upload(file, options)
