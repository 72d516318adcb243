"""Every environment variable that sets something: its name, type, default and meaning.

    Settings().threads          # one variable, read and checked
    Settings().check()          # all of them, as the server does when it starts

docs/operations.md has the same table, and a test compares the two.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from typing import Any, Generic, Literal, TypeVar, overload

LogFormat = Literal["json", "text"]
T = TypeVar("T")
# A variable's name and its text to its value, None for the default; raises a ValueError whose
# sentence has the name.
Read = Callable[[str, str], T | None]
_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


class Setting(Generic[T]):
    """One environment variable, as an attribute of ``Settings``.

    Args:
        read: the variable's text to its value.
        default: the value where the variable is not set.
        meaning: for people, with the unit.
        shown: the default in words; by default its value.
        name: of the variable; by default ``BISENET_`` and the attribute's name in capitals.
    """

    def __init__(self, read: Read[T], default: T, meaning: str, shown: str = "", name: str = ""):
        self.name, self.meaning = name, meaning
        self.shown = shown or str(default).lower().removesuffix(".0")
        self._read, self._default = read, default

    def __set_name__(self, owner: type, attribute: str) -> None:
        self.name = self.name or f"BISENET_{attribute.upper()}"

    @overload
    def __get__(self, settings: None, owner: type) -> Setting[T]: ...
    @overload
    def __get__(self, settings: Settings, owner: type) -> T: ...
    def __get__(self, settings: Settings | None, owner: type) -> Setting[T] | T:
        if settings is None:
            return self
        text = settings.environ.get(self.name)
        value = None if text is None else self._read(self.name, text)
        return self._default if value is None else value


def _text(_: str, text: str) -> str:
    return text


def _number(lowest: float, highest: float) -> Callable[[str, str], float]:
    def read(name: str, text: str) -> float:
        try:
            value = float(text)
        except ValueError as error:
            raise ValueError(f"{name} must be a number, not {text!r}.") from error
        if not lowest <= value <= highest:
            raise ValueError(f"{name} must be between {lowest:g} and {highest:g}, not {text}.")
        return value

    return read


def _whole(lowest: int, highest: int) -> Read[int]:
    number = _number(lowest, highest)

    def read(name: str, text: str) -> int:
        value = number(name, text)
        if value != int(value):
            raise ValueError(f"{name} must be a whole number, not {text!r}.")
        return int(value)

    return read


_MANY = _whole(1, 100_000)


def _at_least(least: int) -> Read[int]:
    def read(name: str, text: str) -> int:
        try:
            value = int(text)
        except ValueError as error:
            raise ValueError(f"{name} must be a whole number, not {text!r}.") from error
        if value < least:
            raise ValueError(f"{name} must be at least {least}, not {text}.")
        return value

    return read


def _count(name: str, text: str) -> int | None:
    if text and (not text.isdecimal() or int(text) < 1):
        raise ValueError(f"{name} must be a whole number of at least 1, not {text!r}.")
    return int(text) if text else None


def _switch(name: str, text: str) -> bool | None:
    word = text.strip().lower()
    if word and word not in _YES + _NO:
        raise ValueError(f"{name} must be true or false, not {word!r}.")
    return word in _YES if word else None


def _list(_: str, text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _hosts(name: str, text: str) -> tuple[str, ...]:
    return _list(name, text.lower())


def _networks(name: str, text: str) -> tuple[str, ...]:
    networks = _list(name, text)
    for network in networks:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise ValueError(
                f"{name} takes addresses and networks like 10.0.0.1 or 10.0.0.0/8, not {network!r}."
            ) from error
    return networks


def _megabytes(name: str, text: str) -> int | None:
    return _MANY(name, text) if text else None


def _base_path(name: str, text: str) -> str:
    path = text.strip("/")
    if not re.fullmatch(r"([A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*)?", path):
        raise ValueError(
            f"{name} takes a path of letters, digits, - and _, like faces or lab/faces, "
            f"not {text!r}."
        )
    return f"/{path}" if path else ""


def _log_format(name: str, text: str) -> LogFormat:
    if text == "json":
        return "json"
    if text == "text":
        return "text"
    raise ValueError(f"{name} must be json or text, not {text!r}.")


class Settings:
    """The variables by what they set. Each is read, and refused if it is wrong, when asked for.

    Times are seconds, ``body_rate`` KB a second. ``base_path`` is empty, or begins with a slash
    and ends without one. An attribute of the class itself is the ``Setting``.

    Args:
        environ: by default the process's environment.
    """

    port = Setting(_whole(0, 65535), 8080, "port to listen on", name="PORT")
    host = Setting(_text, "", "address to listen on", "all")
    weights = Setting(
        _text, "default", "name of the weights that the API uses and that are loaded first"
    )
    weights_dir = Setting(_text, "", "folder of the weights and their manifest", "the shipped one")
    state_dir = Setting(_text, "", "folder in which timings outlive the process", "none: in memory")
    # None is not set; an empty one turns the cache off.
    cache_dir: Setting[str | None] = Setting(
        _text, None, "folder for what engines compile", "the user's cache folder"
    )
    threads = Setting(
        _count,
        None,
        "threads of the engine and of OpenCV",
        "the CPU quota and affinity, rounded down",
    )
    max_running = Setting(
        _at_least(1),
        2,
        "parses at a time; one of n places is a photo of up to 64 / n megapixels, larger ones "
        "take more",
    )
    max_waiting = Setting(_at_least(0), 32, "parses that may wait; one more is refused with 429")
    views_mb = Setting(
        _count,
        None,
        "MB of parsed photos kept for all sessions together",
        "a quarter of the memory",
    )
    drain_seconds = Setting(
        _number(0, 600), 5.0, "after SIGTERM: not ready, but still answering, for this long"
    )
    shutdown_seconds = Setting(
        _number(1, 3600), 30.0, "after SIGTERM: gone by then, whatever still runs"
    )
    stall_seconds = Setting(
        _number(1, 3600), 60.0, "a parse without progress for so long hangs: `/healthz` fails"
    )
    # Each engine takes hundreds of MB and seconds of all cores, so the server sets it to false
    # where nobody else has set it; ``streamlit run``, on a developer's machine, does not.
    other_engines = Setting(
        _switch,
        True,
        "true: the API and the pages may open engines besides the server's own, and Timing "
        "may measure",
        "false; `streamlit run` alone: true",
    )
    body_seconds = Setting(_number(1, 3600), 60.0, "the time that a photo may take to arrive")
    body_rate = Setting(
        _number(0.1, 1e6), 16.0, "KB a second that a body must at least arrive with"
    )
    header_seconds = Setting(
        _number(1, 3600), 10.0, "the time that a request's header may take to arrive"
    )
    max_sockets = Setting(
        _MANY,
        400,
        "open pages (WebSockets) in all; twice as many connections, and 64 more for addresses "
        "with fewer than two, such as the probes'",
    )
    max_sockets_client = Setting(_MANY, 100, "open pages of one address; twice as many connections")
    max_scripts = Setting(_MANY, 2, "page scripts that run at a time")
    trusted_proxies: Setting[tuple[str, ...]] = Setting(
        _networks,
        (),
        "comma-separated addresses and networks of proxies whose `X-Forwarded-For`, `-Proto` "
        "and `-Host` are believed",
        "none",
    )
    allowed_hosts: Setting[tuple[str, ...]] = Setting(
        _hosts,
        (),
        "comma-separated host names that are answered, and whose pages are the server's own",
        "any",
    )
    https = Setting(
        _switch, False, "true when people come by https: adds Strict-Transport-Security"
    )
    log_format: Setting[LogFormat] = Setting(_log_format, "json", "json or text")
    max_upload_mb = Setting(
        _megabytes,
        None,
        "MB that a zip in Batch or Evaluate may have; k8s/ sets 200, since uploads stay in memory",
        "1024",
        name="STREAMLIT_SERVER_MAX_UPLOAD_SIZE",
    )
    base_path = Setting(
        _base_path,
        "",
        "path below which the dashboard is served, like `lab/faces`",
        "none",
        name="STREAMLIT_SERVER_BASE_URL_PATH",
    )
    # Read by Streamlit itself.
    cookie_secret = Setting(
        _text,
        "",
        "signs cookies; the same on every replica",
        "a new one each start",
        name="STREAMLIT_SERVER_COOKIE_SECRET",
    )

    def __init__(self, environ: Mapping[str, str] | None = None):
        self.environ = os.environ if environ is None else environ

    def check(self) -> Settings:
        """These settings, every variable of which has been read.

        Raises:
            ValueError: a variable is not what it should be; the sentence names it.
        """
        for setting in VARIABLES.values():
            setting.__get__(self, Settings)
        if self.drain_seconds >= self.shutdown_seconds:
            raise ValueError("BISENET_DRAIN_SECONDS must be less than BISENET_SHUTDOWN_SECONDS.")
        return self


# Every variable that a manifest, the Dockerfile or a person may set.
VARIABLES: dict[str, Setting[Any]] = {
    setting.name: setting for setting in vars(Settings).values() if isinstance(setting, Setting)
}
