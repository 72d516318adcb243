"""The int8 form of the weights: one zip file that holds an OpenVINO network, checked by hash."""

from __future__ import annotations

import zipfile
from pathlib import Path

from bisenet.engines import EngineError
from bisenet.network import weights

_MEMBERS = ("model.xml", "model.bin")


def why_not_int8(entry: weights.WeightsInfo) -> str:
    """Why these weights have no usable int8 form, as a clause; empty where they have one.

    The file's own hash is checked when it is read, not here.
    """
    if not entry.int8_file:
        how = (
            f"python -m bisenet weights quantise {entry.name} --data FACES makes it"
            if entry.sha256
            else "it is made for weights that were added"
        )
        return f"the weights {entry.name} have no int8 form ({how})"
    if entry.int8_of != entry.sha256:
        return f"the int8 file of {entry.name} was made from other weights than these"
    if not (entry.path.parent / entry.int8_file).is_file():
        return f"{entry.int8_file} is missing"
    return ""


def read_quantised(name: str) -> tuple[bytes, bytes]:
    """The int8 network of some weights: its IR's XML and its tensors.

    Raises:
        EngineError: there is none, or the file is not the one that the manifest describes.
        WeightsError: there are no such weights.
    """
    entry = weights.resolve(name)
    reason = why_not_int8(entry)
    if reason:
        raise EngineError(f"int8 cannot run: {reason}. Choose the engine auto or openvino-bf16.")
    path = entry.path.parent / entry.int8_file
    if weights.file_hash(path) != entry.int8_sha256:
        raise EngineError(
            f"int8 cannot run: {path.name} is not the file that the manifest describes (its "
            "SHA-256 differs). Restore it, or choose the engine auto or openvino-bf16."
        )
    try:
        with zipfile.ZipFile(path) as archive:
            xml, tensors = (archive.read(member) for member in _MEMBERS)
    except (zipfile.BadZipFile, KeyError, OSError) as error:
        raise EngineError(f"int8 cannot run: {path.name} is damaged ({error}).") from error
    return xml, tensors


def write_quantised(path: Path, xml: bytes, tensors: bytes) -> None:
    """Write the zip file so that the same network always gives the same bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in zip(_MEMBERS, (xml, tensors), strict=True):
            info = zipfile.ZipInfo(member, date_time=(1980, 1, 1, 0, 0, 0))
            # The tensors are noise to a compressor: a tenth less to store, a slower start.
            info.compress_type = (
                zipfile.ZIP_DEFLATED if member == _MEMBERS[0] else zipfile.ZIP_STORED
            )
            archive.writestr(info, content)
