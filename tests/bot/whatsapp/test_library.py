"""The client is loaded only in processes of their own: it never leaves one that it entered."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.config import WhatsApp
from bot.whatsapp.environment import exec_environment


def run(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env=os.environ | environment,
    )


LOADS_ALONE = """
import sys

def no_libmagic(event, arguments):
    if event == "ctypes.dlopen" and "libmagic" in str(arguments[0]):
        raise OSError("hidden")

sys.addaudithook(no_libmagic)
from bot.whatsapp import library
print(library.load().code.GetVersion().decode())
print([name for name in ("magic", "PIL", "httpx", "requests", "neonize") if name in sys.modules])
"""


@pytest.mark.whatsapp
def test_the_client_is_loaded_without_its_python_api_and_on_a_system_without_libmagic() -> None:
    done = run(LOADS_ALONE)

    assert done.stdout.splitlines() == ["0.5.2", "[]"], done.stderr


LOADS_QUIETLY = """
import logging, os, socket, sys

def no_network(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise PermissionError(event)

sys.addaudithook(no_network)
from bot.whatsapp import library
library.load()
os.write(1, b"chatter of the client\\n")
print("ours still shows")
root = logging.getLogger()
print(root.handlers, root.level == logging.WARNING)
"""


@pytest.mark.whatsapp
def test_loading_touches_neither_network_nor_logging_and_hides_the_clients_chatter() -> None:
    done = run(LOADS_QUIETLY)

    assert done.stdout.splitlines() == ["ours still shows", "[] True"], done.stderr


READS_MEANWHILE = """
import sys, threading
from bot.whatsapp import library

loading, read = threading.Event(), threading.Event()

def slowly(event, arguments):
    if event == "open" and "_binder" in str(arguments[0]) and not loading.is_set():
        loading.set()
        read.wait(0.5)

sys.addaudithook(slowly)
thread = threading.Thread(target=library.load)
thread.start()
loading.wait()
print(library.read_protos().events.__name__)
read.set()
thread.join()
"""


@pytest.mark.whatsapp
def test_its_messages_can_be_read_on_one_thread_while_another_loads_it() -> None:
    done = run(READS_MEANWHILE)

    assert done.stdout.splitlines() == ["Neonize_pb2"], done.stderr


SAYS_WHY = """
import importlib.metadata, importlib.util, pathlib, sys
from bot.whatsapp import library

wrong, how = sys.argv[1:]
if how == "missing":
    find = importlib.util.find_spec
    importlib.util.find_spec = lambda name: None if name == "neonize" else find(name)
elif how == "version":
    importlib.metadata.version = lambda name: "0.4.3"
else:
    library._package = lambda: pathlib.Path(wrong)
try:
    library.load()
except library.LibraryMissing as error:
    print(str(error))
print("neonize" in sys.modules)
"""


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("missing", "not installed"),
        ("version", "neonize is 0.4.3, this LYROX needs 0.5.2"),
        ("absent", "has no library for this machine"),
        ("broken", "does not load"),
    ],
)
def test_a_library_that_is_not_right_is_one_sentence_and_never_an_import(
    tmp_path: Path, how: str, words: str
) -> None:
    if how == "broken":
        from bot.whatsapp.library import _binary_name

        (tmp_path / _binary_name()).write_bytes(b"\x7fELF no library")

    done = run(SAYS_WHY, str(tmp_path), how)

    sentence, imported = done.stdout.splitlines()
    assert words in sentence
    assert "make .venv" in sentence
    assert imported == "False"


def test_the_label_follows_the_configuration_alone() -> None:
    off = exec_environment(WhatsApp(ai_label=False), {})
    on = exec_environment(WhatsApp(ai_label=True), {"NEONIZE_BOT_TAG": "off"})

    assert off["NEONIZE_BOT_TAG"] == "off"
    assert "NEONIZE_BOT_TAG" not in on


def test_a_memory_limit_of_the_operators_own_wins() -> None:
    assert exec_environment(WhatsApp(), {"GOMEMLIMIT": "1GiB"})["GOMEMLIMIT"] == "1GiB"
    assert exec_environment(WhatsApp(), {})["GOMEMLIMIT"]


EXECUTES_ONCE_MORE = """
import os, sys
from bot.config import WhatsApp
from bot.whatsapp.environment import ensure_exec_environment

print(os.getpid(), os.environ.get("NEONIZE_BOT_TAG"), *sys.argv[1:], flush=True)
ensure_exec_environment(WhatsApp(ai_label=False))
print("running", flush=True)
"""


def test_a_process_executes_itself_once_more_with_the_same_arguments_and_number() -> None:
    done = run(EXECUTES_ONCE_MORE, "run", "--shard", "2")

    first, second, third = done.stdout.splitlines()
    pid = first.split()[0]
    assert first.split()[1:] == ["None", "run", "--shard", "2"]
    assert second.split() == [pid, "off", "run", "--shard", "2"]
    assert third == "running"


def test_the_rest_of_the_program_never_imports_the_client() -> None:
    code = (
        "import sys, bot.whatsapp.sessions, bot.whatsapp.pairing, bot.whatsapp.qr\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('neonize', 'magic')])"
    )

    assert run(code).stdout.strip() == "[]"
