"""A throw-away Slurm cluster on this machine: a controller, two nodes for CPUs, one with a stand-in for a GPU.

python tests/slurm/lab.py up|down|status

It needs root and Debian's packages slurmctld, slurmd, slurm-client and munge; neither systemd, cgroups nor a database.
It writes /etc/slurm/slurm.conf (the executor plugin takes SLURM_CONF out of the environment of its jobs, so no other
place works), never on a machine that has or uses another Slurm, and removes it again. One at a time on a machine.
"""

import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

CONF = Path("/etc/slurm/slurm.conf")
GRES = Path("/etc/slurm/gres.conf")
OURS = "# A throw-away cluster of advdyn's tests (tests/slurm/lab.py)\n"
FOLDER = Path("/tmp/advdyn-slurm-lab")  # one place, so that what a killed session left is found
LOCK = Path("/tmp/advdyn-slurm-lab.lock")
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "munged")
PACKAGES = "slurmctld slurmd slurm-client munge"
NODES = ("n1", "n2", "g1")
DAEMONS = {"slurmd": "slurmd.*.pid", "slurmctld": "slurmctld.pid", "munged": "munged.pid"}

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
MinJobAge=3600
KillWait=2
DefMemPerCPU=500
AccountingStorageType=accounting_storage/none
GresTypes=gpu
NodeName=n[1-2] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{n1}-{n2}] CPUs=2 RealMemory={memory} State=UNKNOWN
NodeName=g1 NodeHostname={host} NodeAddr=127.0.0.1 Port={g1} CPUs=4 RealMemory={memory} Gres=gpu:1 State=UNKNOWN
PartitionName=cpu Nodes=n[1-2] Default=YES MaxTime=2880 State=UP
PartitionName=gpu Nodes=g1 MaxTime=2880 State=UP
"""


def missing() -> str:
    """Why no cluster can be brought up here; nothing when it can."""
    if os.geteuid() != 0:
        return "a Slurm cluster on this machine needs root"
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    if absent:
        return f"not installed: {', '.join(absent)} (Debian: apt-get install --no-install-recommends {PACKAGES})"
    if CONF.exists() and not ours():
        return f"this machine has a Slurm of its own ({CONF})"
    if not CONF.exists():
        names = [
            (path / "comm").read_text().strip() for path in Path("/proc").glob("[0-9]*") if (path / "comm").exists()
        ]
        alien = {"slurmd", "slurmctld", "sackd"} & set(names)
        if alien or Path("/run/slurm/conf").exists():
            return f"this machine belongs to a Slurm ({', '.join(alien) or '/run/slurm/conf'})"
    named = [name for name in os.environ if name.startswith("SLURM_")]
    if named:
        return f"another Slurm is named in the environment ({', '.join(named)})"
    return ""


def ours() -> bool:
    """Whether the Slurm that commands on this machine speak to is the one of these tests."""
    return "SLURM_CONF" not in os.environ and CONF.exists() and CONF.read_text().startswith(OURS)


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


def up() -> None:
    """Bring the cluster up; what an earlier one left is ended first.

    Raises
    ------
    RuntimeError
        When it cannot be brought up, or its nodes are not idle within 30 s: with the ends of the daemons' logs.
    """
    if missing():
        raise RuntimeError(missing())
    alone()
    down()
    try:
        _up()
    except BaseException:
        down()
        raise


def _up() -> None:
    for name in ("run", "log", "state", "munge", *(f"spool.{node}" for node in NODES)):
        (FOLDER / name).mkdir(parents=True)
    key = FOLDER / "munge" / "munge.key"
    key.touch(0o600)
    key.write_bytes(os.urandom(1024))
    port = _free_ports(5)
    with open("/proc/meminfo") as file:
        memory = int(file.readline().split()[1]) // 1024 * 8 // 10
    values = {
        "host": socket.gethostname().split(".")[0], "folder": FOLDER, "port": port,
        "n1": port + 1, "n2": port + 2, "g1": port + 3,
        "memory": memory,
    }  # fmt: skip
    CONF.parent.mkdir(exist_ok=True)
    CONF.write_text(OURS + SETTINGS.format(**values))
    # A GPU needs a device file, and any will do: without one the node reports none.
    GRES.write_text(OURS + "NodeName=g1 Name=gpu File=/dev/null\n")
    munge = [f"--{name}={FOLDER}/{path}" for name, path in MUNGE.items()]
    _run("munged", *munge)
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


def _stop(file: Path, program: str) -> None:
    """End the process of a pid file, if it is the program's."""
    try:
        process = Path("/proc") / file.read_text().strip()
        if (process / "comm").read_text().strip() != program:
            return
        os.kill(int(process.name), 15)
        for _ in range(100):
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
