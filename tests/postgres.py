"""A PostgreSQL server of the tests' own: made in a temporary folder, on a free port of this machine alone, and removed after."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

USER, PASSWORD = "collector", "s3cr3t-Wombat-77"
_ADMIN = "admin"
# Named, since a session of kveil makes another folder the process's place of temporary files.
_OPEN_TO_ALL = "/tmp" if os.path.isdir("/tmp") else None


@dataclass(frozen=True)
class Server:
    """A running server with an empty database `bank`, whose table `collector` may read with PASSWORD."""

    programs: Path
    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"jdbc:postgresql://127.0.0.1:{self.port}/bank"

    def sql(self, statements: str, database: str = "bank") -> str:
        """What psql prints for the statements, run as the owner over the server's socket."""
        command = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", str(self.folder), "-p", str(self.port)]
        done = _run(self.programs, [*command, "-U", _ADMIN, "-d", database, "-c", statements])
        return done.stdout.strip()


@contextmanager
def server() -> Iterator[Server]:
    """A new server while the block runs."""
    programs = _programs()
    # pytest's own folders, and kveil's place of temporary files, are closed to the user that the server runs as.
    folder = Path(tempfile.mkdtemp(prefix="kveil-postgres-", dir=_OPEN_TO_ALL))
    if os.geteuid() == 0:
        os.chown(folder, *_identity())
    data, port = folder / "data", _free_port()
    try:
        _run(
            programs,
            ["initdb", "-D", str(data), "-U", _ADMIN, "--auth-local=trust", "--auth-host=scram-sha-256", "-E", "UTF8", "-N"],
        )
        # Without flushing to disk: what a crash of the machine would lose is made anew by every run.
        settings = f"-p {port} -k {folder} -h 127.0.0.1 -F -c shared_buffers=16MB"
        _run(programs, ["pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", settings, "start"])
        try:
            running = Server(programs, folder, port)
            running.sql("CREATE DATABASE bank", "postgres")
            running.sql(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'")
            yield running
        finally:
            _run(programs, ["pg_ctl", "-D", str(data), "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    """Where initdb lies: on the PATH or, as Debian keeps it, beside its version's server."""
    places = [*Path("/usr/lib/postgresql").glob("*/bin/initdb"), *filter(None, [shutil.which("initdb")])]
    if places:
        return Path(places[0]).resolve().parent
    reason = "no PostgreSQL server is installed, so nothing of JDBC is tested: run scripts/postgres.sh (as root) or install it"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _run(programs: Path, command: list[str]) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
    # A server refuses to run as root; its log must be no pipe, or waiting for pg_ctl would be waiting for the server.
    as_user: dict[str, Any] = {}
    if os.geteuid() == 0:
        user, group = _identity()
        as_user = {"user": user, "group": group, "extra_groups": []}
    with tempfile.TemporaryFile("w+") as told:
        done = subprocess.run(command, env=environment, cwd="/", stdout=told, stderr=subprocess.STDOUT, check=False, **as_user)
        told.seek(0)
        text = told.read()
    assert done.returncode == 0, f"{command[0]}: {text}"
    return subprocess.CompletedProcess(command, 0, text)


def _identity() -> tuple[int, int]:
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
            return found.pw_uid, found.pw_gid
        except KeyError:
            continue
    raise RuntimeError("this machine has no user postgres or nobody")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
