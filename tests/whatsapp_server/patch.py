"""Makes a running client trust our root: 32 bytes in the memory of the process that connected.

The client pins its server's root key once, in writable data of its library. The file on disk
stays as it is; the process is found by the socket it opened.
"""

from pathlib import Path

# The public key under which the service signs its servers' certificates.
PINNED_ROOT = bytes.fromhex("142375574d0a587166aae71ebe516437c4a28b73e3695c6ce1f7f9545da8ee6b")

_PROC = Path("/proc")


def process_of(port: int) -> int | None:
    """The process whose end of a loopback connection has this local port."""
    inode = _inode(port)
    if inode is None:
        return None
    for process in _PROC.iterdir():
        if process.name.isdecimal() and _holds(process, f"socket:[{inode}]"):
            return int(process.name)
    return None


def replace(pid: int, old: bytes, new: bytes) -> int:
    """Put *new* wherever *old* stands in the process's copy of the client; how often it stood."""
    count = 0
    with (_PROC / str(pid) / "mem").open("r+b", buffering=0) as memory:
        for start, end in _writable(pid):
            memory.seek(start)
            data = memory.read(end - start)
            at = data.find(old)
            while at >= 0:
                memory.seek(start + at)
                memory.write(new)
                count += 1
                at = data.find(old, at + 1)
    return count


def _writable(pid: int) -> list[tuple[int, int]]:
    spans = []
    for line in (_PROC / str(pid) / "maps").read_text().splitlines():
        if "neonize" in line and line.split()[1].startswith("rw"):
            start, end = line.split()[0].split("-")
            spans.append((int(start, 16), int(end, 16)))
    return spans


def _inode(port: int) -> str | None:
    for line in (_PROC / "net" / "tcp").read_text().splitlines()[1:]:
        words = line.split()
        if int(words[1].split(":")[1], 16) == port and words[3] == "01":
            return words[9]
    return None


def _holds(process: Path, target: str) -> bool:
    try:
        return any(str(fd.readlink()) == target for fd in (process / "fd").iterdir())
    except OSError:
        return False
