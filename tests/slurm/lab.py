"""A throw-away Slurm cluster on this machine: a controller, two nodes for CPUs, one with a stand-in for a GPU.

python tests/slurm/lab.py up|down|status

It needs root and Debian's packages slurmctld, slurmd, slurm-client and munge; neither systemd nor cgroups. With an
accounting database (``up(database=True)``: accounts, qualities of service, limits) it needs slurmdbd and mariadb-server.
It writes /etc/slurm/slurm.conf (the executor plugin takes SLURM_CONF out of the environment of its jobs, so no other
place works), never on a machine that has or uses another Slurm, and removes it again. One at a time on a machine.
"""

import contextlib
import fcntl
import functools
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CONF = Path("/etc/slurm/slurm.conf")
GRES = Path("/etc/slurm/gres.conf")
DBD = Path("/etc/slurm/slurmdbd.conf")
OURS = "# A throw-away cluster of advdyn's tests (tests/slurm/lab.py)\n"
FOLDER = Path("/tmp/advdyn-slurm-lab")  # one place, so that what a killed session left is found
LOCK = Path("/tmp/advdyn-slurm-lab.lock")
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "munged")
PACKAGES = "slurmctld slurmd slurm-client munge"
DATABASE_PROGRAMS = ("slurmdbd", "mariadbd", "mariadb-install-db", "sacctmgr")
DATABASE_PACKAGES = "slurmdbd mariadb-server"
NODES = ("n1", "n2", "g1")
# in the order in which they are ended
DAEMONS = {
    "slurmd": "slurmd.*.pid", "slurmctld": "slurmctld.pid", "slurmdbd": "slurmdbd.pid", "mariadbd": "mariadbd.pid",
    "munged": "munged.pid",
}  # fmt: skip

SETTINGS = """\
ClusterName=lab
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/munge.socket
CredType=cred/munge
SlurmctldPort={port}
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.%n.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=5
ReturnToService=2
MpiDefault=none
KillWait=2
DefMemPerCPU=500
GresTypes=gpu
NodeName=n[1-2] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{n1}-{n2}] CPUs=2 RealMemory={memory} State=UNKNOWN
NodeName=g1 NodeHostname={host} NodeAddr=127.0.0.1 Port={g1} CPUs=4 RealMemory={memory} Gres=gpu:1 State=UNKNOWN
PartitionName=cpu Nodes=n[1-2] Default=YES MaxTime=2880 State=UP
PartitionName=gpu Nodes=g1 MaxTime=2880 State=UP
"""
# Without accounting the controller is all that remembers a job.
ALONE = """\
MinJobAge=3600
AccountingStorageType=accounting_storage/none
"""
# With it, the controller is to forget as early as it can: what is known then is what the database says.
WITH_DATABASE = """\
MinJobAge=2
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={dbd}
AccountingStoragePass={folder}/munge/munge.socket
AccountingStorageEnforce=associations,limits,qos
AccountingStorageTRES=gres/gpu
"""
DBD_SETTINGS = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge/munge.socket
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={dbd}
SlurmUser=root
PidFile={folder}/run/slurmdbd.pid
LogFile={folder}/log/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={sql}
StorageUser=slurm
StoragePass={password}
StorageLoc=slurm_acct_db
"""
ACCOUNT, QOS = "lab", "short"


def without_database() -> str:
    """Why no cluster with an accounting database can be brought up here; nothing when it can."""
    absent = [program for program in DATABASE_PROGRAMS if shutil.which(program) is None]
    if missing():
        return missing()
    if absent:
        install = f"apt-get install --no-install-recommends {DATABASE_PACKAGES}"
        return f"not installed: {', '.join(absent)} (Debian: {install})"
    return ""


def missing() -> str:
    """Why no cluster can be brought up here; nothing when it can."""
    if os.geteuid() != 0:
        return "a Slurm cluster on this machine needs root"
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    if absent:
        return f"not installed: {', '.join(absent)} (Debian: apt-get install --no-install-recommends {PACKAGES})"
    for file in (CONF, GRES, DBD):
        if file.exists() and not file.read_text().startswith(OURS):
            return f"this machine has a Slurm of its own ({file})"
    if not CONF.exists():
        alien = {"slurmd", "slurmctld", "sackd"} & _running()
        if alien or Path("/run/slurm/conf").exists():
            return f"this machine belongs to a Slurm ({', '.join(alien) or '/run/slurm/conf'})"
    named = [name for name in os.environ if name.startswith("SLURM_")]
    if named:
        return f"another Slurm is named in the environment ({', '.join(named)})"
    return ""


def _running() -> set[str]:
    """Names of the programs that run; not of those that ended and whose parent has not looked yet."""
    names = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, state = stat.read_text().partition("(")[2].rsplit(")", 1)
            if not state.startswith(" Z"):
                names.add(name)
    return names


def ours() -> bool:
    """Whether the Slurm that commands on this machine speak to is the one of these tests."""
    return "SLURM_CONF" not in os.environ and CONF.exists() and CONF.read_text().startswith(OURS)


@functools.cache
def alone() -> None:
    """Be the only process of this machine with a cluster of these tests, until it ends.

    Raises
    ------
    RuntimeError
        When another process has one.
    """
    lock = os.open(LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise RuntimeError(f"another process has a Slurm cluster for tests on this machine ({LOCK})") from None


def up(*, database: bool = False) -> None:
    """Bring the cluster up, with an accounting database or without; what an earlier one left is ended first.

    Raises
    ------
    RuntimeError
        When it cannot be brought up, or its nodes are not idle within 30 s: with the ends of the daemons' logs.
    """
    lacking = without_database() if database else missing()
    if lacking:
        raise RuntimeError(lacking)
    alone()
    down()
    try:
        _up(database)
    except BaseException:
        down()
        raise


def _up(database: bool) -> None:
    for name in ("run", "log", "state", "munge", *(f"spool.{node}" for node in NODES)):
        (FOLDER / name).mkdir(parents=True)
    key = FOLDER / "munge" / "munge.key"
    key.touch(0o600)
    key.write_bytes(os.urandom(1024))
    port = _free_ports(6)
    with open("/proc/meminfo") as file:
        memory = int(file.readline().split()[1]) // 1024 * 8 // 10
    values = {
        "host": socket.gethostname().split(".")[0], "folder": FOLDER, "port": port,
        "n1": port + 1, "n2": port + 2, "g1": port + 3, "dbd": port + 4, "sql": port + 5,
        "memory": memory,
    }  # fmt: skip
    CONF.parent.mkdir(exist_ok=True)
    CONF.write_text(OURS + (SETTINGS + (WITH_DATABASE if database else ALONE)).format(**values))
    # A GPU needs a device file, and any will do: without one the node reports none.
    GRES.write_text(OURS + "NodeName=g1 Name=gpu File=/dev/null\n")
    munge = [f"--{name}={FOLDER}/{path}" for name, path in MUNGE.items()]
    _run("munged", *munge)
    if database:
        _keep_accounts(values)
    start_controller("-i")
    for node in NODES:
        _run("slurmd", "-N", node)
    for _ in range(150):
        shown = subprocess.run(
            ["sinfo", "-h", "-N", "-o", "%T"], capture_output=True, text=True, check=False, timeout=30
        )
        if shown.stdout.split() == ["idle"] * len(NODES):
            return
        time.sleep(0.2)
    logs = "\n".join(f"{log}:\n{log.read_text()[-1000:]}" for log in (FOLDER / "log").glob("*.log"))
    raise RuntimeError(f"the nodes are not idle: {shown.stdout} {shown.stderr}\n{logs}")


def _keep_accounts(values: dict[str, Any]) -> None:
    """Start a database and Slurm's daemon before it, and give this user an account with a quality of service."""
    data = FOLDER / "database"
    # root only through the socket; nobody reads or writes files through the database
    _run("mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={data}", "--skip-test-db",
         "--auth-root-authentication-method=socket", "--auth-root-socket-user=root")  # fmt: skip
    values = values | {"password": secrets.token_hex(16)}
    first = FOLDER / "run" / "first.sql"
    first.touch(0o600)
    first.write_text(
        f"CREATE USER slurm@127.0.0.1 IDENTIFIED BY '{values['password']}';\n"
        "GRANT ALL ON slurm_acct_db.* TO slurm@127.0.0.1;\n"
    )
    options = {
        "user": "root", "datadir": data, "socket": FOLDER / "run" / "mariadb.socket", "port": values["sql"],
        "bind-address": "127.0.0.1", "pid-file": FOLDER / "run" / "mariadbd.up", "skip-name-resolve": 1,
        "secure-file-priv": FOLDER / "run", "init-file": first,
        "innodb-buffer-pool-size": "32M", "innodb-log-file-size": "8M",
    }  # fmt: skip
    # of the daemons here the only one that does not leave the foreground by itself
    _run("sh", "-c", f'setsid "$@" > "$0" 2>&1 < /dev/null & echo $! > {FOLDER}/run/mariadbd.pid',
         str(FOLDER / "log" / "mariadbd.log"), "mariadbd", "--no-defaults", *(f"--{name}={value}" for name, value in options.items()))  # fmt: skip
    _until(lambda: (FOLDER / "run" / "mariadbd.up").exists(), "the database does not start")
    DBD.touch(0o600)
    DBD.write_text(OURS + DBD_SETTINGS.format(**values))
    _run("slurmdbd")
    _until(lambda: _answers("sacctmgr", "-n", "list", "cluster"), "slurmdbd does not answer")
    for words in (
        "cluster lab", f"account {ACCOUNT} cluster=lab", f"qos {QOS}", f"user root account={ACCOUNT} cluster=lab",
    ):  # fmt: skip
        _run("sacctmgr", "-i", "add", *words.split())
    _run("sacctmgr", "-i", "modify", "user", "root", "set", f"qos={QOS},normal", f"defaultaccount={ACCOUNT}")


MUNGE = {
    "key-file": "munge/munge.key", "socket": "munge/munge.socket", "pid-file": "run/munged.pid",
    "log-file": "log/munged.log", "seed-file": "munge/munged.seed",
}  # fmt: skip


def start_controller(*arguments: str) -> None:
    """Start the controller (again, with what it saved)."""
    _run("slurmctld", *arguments)


def stop_controller() -> None:
    """Stop the controller; jobs go on running."""
    _stop(FOLDER / "run" / "slurmctld.pid", "slurmctld")


def down() -> None:
    """End jobs and daemons, the daemons by their own pid files, and remove every trace."""
    if ours():
        if (FOLDER / "run" / "slurmctld.pid").exists():
            with contextlib.suppress(subprocess.TimeoutExpired):
                empty_queue()
        for program, pattern in DAEMONS.items():
            for file in (FOLDER / "run").glob(pattern):
                _stop(file, program)
        CONF.unlink()
        GRES.unlink(missing_ok=True)
        DBD.unlink(missing_ok=True)
    shutil.rmtree(FOLDER, ignore_errors=True)


def empty_queue(seconds: float = 30) -> list[str]:
    """Cancel every job of this cluster and wait until none is left; the jobs that were there."""
    if not ours():
        return []
    there = queue()
    until = time.monotonic() + seconds
    while queue() and time.monotonic() < until:
        subprocess.run(["scancel", *queue()], check=False, timeout=20, capture_output=True)
        time.sleep(0.2)
    return there


def queue() -> list[str]:
    """Numbers of the jobs that wait or run."""
    shown = subprocess.run(["squeue", "-h", "-o", "%i"], capture_output=True, text=True, timeout=20, check=False)
    return shown.stdout.split()


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-500:]}")


def _answers(*command: str) -> bool:
    return not subprocess.run(command, capture_output=True, check=False, timeout=30).returncode


def _until(true: Callable[[], bool], otherwise: str) -> None:
    for _ in range(150):
        if true():
            return
        time.sleep(0.2)
    raise RuntimeError(otherwise)


def _stop(file: Path, program: str) -> None:
    """End the process of a pid file, if it is the program's."""
    try:
        process = Path("/proc") / file.read_text().strip()
        if (process / "comm").read_text().strip() != program:
            return
        os.kill(int(process.name), 15)
        for _ in range(200):
            if ") Z" in (process / "stat").read_text():  # ended; whoever started it has not looked yet
                return
            time.sleep(0.1)
        os.kill(int(process.name), 9)
    except (FileNotFoundError, ProcessLookupError):
        return
    finally:
        file.unlink(missing_ok=True)


def _free_ports(number: int) -> int:
    """The first of some neighbouring ports that nobody listens on."""
    for first in range(26817, 27817, 10):
        try:
            for port in range(first, first + number):
                with socket.socket() as one:
                    one.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise RuntimeError("no free ports from 26817 to 27817")


if __name__ == "__main__":

    def end() -> None:
        """Down, unless another process uses it."""
        alone()
        down()

    def status() -> None:
        """What Slurm says of nodes and jobs."""
        subprocess.run("sinfo -N -l; squeue", shell=True, check=False, timeout=60)

    actions = {"up": up, "down": end, "status": status}
    if len(sys.argv) != 2 or sys.argv[1] not in actions:
        sys.exit("usage: python tests/slurm/lab.py up|down|status")
    try:
        actions[sys.argv[1]]()
    except RuntimeError as error:
        sys.exit(str(error))
