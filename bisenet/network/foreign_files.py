"""Files mistaken for checkpoints, recognised by their first bytes."""

from __future__ import annotations

from pathlib import Path

_HEAD_BYTES = 1024
_AGAIN = "Download the checkpoint again."
_UNPACK = "Unpack it and add the checkpoint inside."
_TEXTS = (
    (
        b"version https://git-lfs",
        f"a Git LFS pointer, not the file itself. {_AGAIN} In a Git repository: git lfs pull.",
    ),
    (b"<!doctype html", f"a web page: the download gave a page in its place. {_AGAIN}"),
    (b"<html", f"a web page: the download gave a page in its place. {_AGAIN}"),
    (b"<?xml", f"an XML text, as servers send it in place of a file. {_AGAIN}"),
    (b"<", f"a web page or an XML text: the download gave it in place of the file. {_AGAIN}"),
    (b"{", f"a JSON text, as servers send it in place of a file. {_AGAIN}"),
)
_FORMATS = (
    (b"\x1f\x8b", f"compressed with gzip. {_UNPACK}"),
    (b"\xfd7zXZ", f"compressed with xz. {_UNPACK}"),
    (b"BZh", f"compressed with bzip2. {_UNPACK}"),
    (b"7z\xbc\xaf", f"a 7z archive. {_UNPACK}"),
    (b"Rar!", f"a RAR archive. {_UNPACK}"),
    (b"\x89HDF", "an HDF5 file, as Keras writes it; weights of PyTorch are needed."),
    (b"\x89PNG", "a picture."),
    (b"\xff\xd8\xff", "a picture."),
    (b"%PDF", "a PDF."),
)
_ONNX = "an ONNX network. Add the PyTorch checkpoint that it was made from."
_TAR_AT = 257
# The first field of an ONNX model is the version of its format; a length-delimited field or the
# model's version comes next. No pickle, zip or safetensors file begins so.
_ONNX_VERSIONS = range(1, 33)
_ONNX_NEXT = {0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42}


def what_it_is(path: Path) -> str | None:
    """How the sentence "FILE is ..." ends for a file that cannot be a checkpoint, or None.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for start, what in _TEXTS:
        if text.startswith(start):
            return what
    for start, what in _FORMATS:
        if head.startswith(start):
            return what
    if head[_TAR_AT : _TAR_AT + 5] == b"ustar":
        return f"a tar archive. {_UNPACK}"
    if len(head) > 2 and head[0] == 0x08 and head[1] in _ONNX_VERSIONS and head[2] in _ONNX_NEXT:
        return _ONNX
    return None
