"""The only importer of neonize: loads its library late, quietly, and never from the network."""

import contextlib
import ctypes
import importlib
import importlib.metadata
import importlib.util
import io
import os
import platform
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from models.errors import LyroxError

VERSION = "0.5.2"


class LibraryMissing(LyroxError):
    """The WhatsApp library is absent, broken or of another version; everything else works on."""


@dataclass(frozen=True, slots=True)
class Protos:
    """The client's protobuf messages; reading them does not load the client itself."""

    events: Any
    e2e: Any
    device: Any
    broken: type[Exception]


@dataclass(frozen=True, slots=True)
class Library:
    """The loaded client: its C functions, the callback types they want, and its messages."""

    code: Any
    text_callback: Any
    event_callback: Any
    log_callback: Any
    protos: Protos
    kept: list[object] = field(default_factory=list)
    """The callbacks handed to the client: it may still call one long after a stop."""


_finding = threading.Lock()
"""Held by whoever looks for the package: while its binding is loaded it cannot be found."""


def read_protos() -> Protos:
    """The message classes alone, on any thread. Raises LibraryMissing."""
    with _finding:
        return _read_protos()


def _read_protos() -> Protos:
    folder = str(_package() / "proto")
    if folder not in sys.path:
        sys.path.append(folder)  # The generated modules import one another by top-level name.
    try:
        return Protos(
            importlib.import_module("Neonize_pb2"),
            importlib.import_module("waE2E.WAWebProtobufsE2E_pb2"),
            importlib.import_module("waCompanionReg.WAWebProtobufsCompanionReg_pb2"),
            importlib.import_module("google.protobuf.message").DecodeError,
        )
    except (ImportError, TypeError, ValueError, RuntimeError) as error:
        raise LibraryMissing(f"neonize's messages cannot be read ({error}); {_ADVICE}") from None


def load() -> Library:
    """Load the client into this process. Raises LibraryMissing with one sentence."""
    with _finding:
        return _load()


def _load() -> Library:
    _check_binary()
    quiet_stdout()
    try:
        with _bare_package(_package()):
            binder = importlib.import_module("neonize._binder")
    except (ImportError, OSError, RuntimeError, AttributeError, TypeError, ValueError) as error:
        raise LibraryMissing(f"neonize cannot be imported ({error}); {_ADVICE}") from None
    return Library(
        code=binder.gocode,
        text_callback=binder.func_string,
        event_callback=binder.func_callback_bytes,
        log_callback=binder.func_callback_bytes2,
        protos=_read_protos(),
    )


def quiet_stdout() -> None:
    """Send what the client prints on the process's own descriptor 1 nowhere; ours still shows."""
    try:
        if sys.stdout.fileno() != 1:
            return
    except (AttributeError, ValueError, io.UnsupportedOperation):
        return
    sys.stdout.flush()
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    sys.stdout = os.fdopen(kept, "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors)
    sys.stdout.reconfigure(line_buffering=True)


_ADVICE = "install LYROX's locked dependencies again (make .venv)"


def _package() -> Path:
    spec = importlib.util.find_spec("neonize")
    if spec is None or spec.origin is None:
        raise LibraryMissing(f"neonize is not installed; {_ADVICE}")
    return Path(spec.origin).parent


def _check_binary() -> None:
    """Everything that would make neonize's import reach for the network, refused beforehand."""
    binary = _package() / _binary_name()
    try:
        found = importlib.metadata.version("neonize")
    except importlib.metadata.PackageNotFoundError:
        found = "of an unknown version"
    if found != VERSION:
        raise LibraryMissing(f"neonize is {found}, this LYROX needs {VERSION}; {_ADVICE}")
    if not binary.is_file():
        raise LibraryMissing(f"neonize has no library for this machine ({binary.name}); {_ADVICE}")
    try:
        code = ctypes.CDLL(str(binary))
        code.GetVersion.restype = ctypes.c_char_p
        inside = code.GetVersion().decode()
    except (OSError, AttributeError) as error:
        raise LibraryMissing(f"neonize's library does not load ({error}); {_ADVICE}") from None
    if inside != VERSION:
        raise LibraryMissing(f"neonize's library is {inside}, not {VERSION}; {_ADVICE}")


def _binary_name() -> str:
    machine = platform.machine().lower()
    machine = {"aarch64": "arm64", "x86_64": "amd64"}.get(machine, machine)
    system = platform.system().lower()
    ending = {"darwin": "dylib", "windows": "dll"}.get(system, "so")
    return f"neonize-{system}-{machine}.{ending}"


@contextlib.contextmanager
def _bare_package(folder: Path) -> Iterator[None]:
    """neonize's binding of the C functions, without the package that it stands in.

    The package imports its whole Python API, which nobody here uses, sets up the root logger, and
    brings the code that downloads a library.
    """
    bare = {"neonize": folder, "neonize.utils": folder / "utils", "neonize.download": None}
    for name, path in bare.items():
        sys.modules[name] = module = ModuleType(name)
        module.__path__ = [str(path)] if path else []
    vars(sys.modules["neonize.download"]).update(
        __GONEONIZE_VERSION__=VERSION, download=_download_nothing
    )
    try:
        yield
    finally:
        for name in bare:
            sys.modules.pop(name, None)


def _download_nothing() -> None:
    raise RuntimeError("a library is never downloaded")
