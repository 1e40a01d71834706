"""The only importer of neonize: loads its library late, quietly, and never from the network."""

import contextlib
import ctypes
import ctypes.util
import importlib
import importlib.metadata
import importlib.util
import io
import logging
import os
import platform
import sys
from dataclasses import dataclass, field
from pathlib import Path
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


def read_protos() -> Protos:
    """The message classes alone. Raises LibraryMissing."""
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
    _check_binary()
    _provide_libmagic()
    quiet_stdout()
    try:
        with _root_logger_untouched():
            binder = importlib.import_module("neonize._binder")
    except (ImportError, OSError, RuntimeError, AttributeError, TypeError, ValueError) as error:
        raise LibraryMissing(f"neonize cannot be imported ({error}); {_ADVICE}") from None
    return Library(
        code=binder.gocode,
        text_callback=binder.func_string,
        event_callback=binder.func_callback_bytes,
        log_callback=binder.func_callback_bytes2,
        protos=read_protos(),
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


def _provide_libmagic() -> None:
    """Map the wheel's libmagic where the system has none; python-magic then finds it by name."""
    name = ctypes.util.find_library("magic") or "libmagic.so.1"
    with contextlib.suppress(OSError):
        ctypes.CDLL(name)
        return
    spec = importlib.util.find_spec("pylibmagic")
    if spec is None or spec.origin is None:
        raise LibraryMissing(f"neither the system nor pylibmagic has libmagic; {_ADVICE}")
    folder = Path(spec.origin).parent
    if sys.platform != "linux":
        importlib.import_module("pylibmagic")
        return
    # Loaded once by its path, every later request for its soname gets this copy, so the wheel's
    # own remedy (a patched ctypes.CDLL) is not needed.
    try:
        ctypes.CDLL(str(folder / "libmagic.so.1"), mode=ctypes.RTLD_GLOBAL)
    except OSError as error:
        raise LibraryMissing(f"pylibmagic's libmagic does not load ({error})") from None
    os.environ.setdefault("MAGIC", str(folder / "magic.mgc"))


@contextlib.contextmanager
def _root_logger_untouched() -> Any:
    """neonize configures the root logger at import, which does nothing if it has a handler."""
    root = logging.getLogger()
    guard = logging.NullHandler()
    root.addHandler(guard)
    try:
        yield
    finally:
        root.removeHandler(guard)
