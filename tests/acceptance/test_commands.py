"""Every command as a user runs it, from a first wrong setting to `kill -9`."""

import contextlib
import json
import os
import pty
import re
import signal
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
import pytest

from acceptance.commands import (
    GONE_S_MAX,
    KEY,
    Running,
    assert_gone,
    environ,
    free_ports,
    pod_settings,
    run,
    run_all,
    running,
)
from folders import open_folder
from trunkline.adapters.postgres.connect import SCHEMA_NEEDED
from trunkline.adapters.postgres.migrate import head

NOBODY: Final = 65534
SECRET: Final = "hunter2secret"
NOWHERE: Final = {
    "REDIS_URL": f"redis://user:{SECRET}@127.0.0.1:1/0",
    "DATABASE_URL": f"postgresql://user:{SECRET}@127.0.0.1:1/calls",
}
ENOUGH: Final = {
    "PUBLIC_URL": "https://pod.example",
    "TWILIO_AUTH_TOKEN": SECRET,
    "REALTIME_API_KEY": SECRET,
    "PORT": "0",
    "INTERNAL_PORT": "0",
}
"""Settings with which a pod would start, were there stores."""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Where the commands of this file run."""
    with open_folder() as made:
        # Settings of somebody's real pod lie here: the demo must not touch them.
        lines = [f"TRUNKLINE_{name}={value}\n" for name, value in NOWHERE.items()]
        (made / ".env").write_text("".join(lines))
        # Compiled once, where bytecode is not kept: else by all the first commands at once.
        run(made, environ(made), "--help")
        yield made


@pytest.fixture(scope="module")
def realtime_url(folder: Path) -> Iterator[str]:
    """`trunkline sim realtime`, which takes one key."""
    options = ("--port", "0", "--key", KEY, "--speed", "20")
    with running(folder, environ(folder), "sim", "realtime", *options) as simulator:
        yield simulator.until_said("ws://").removeprefix("realtime simulator: ")


@dataclass(frozen=True, slots=True)
class Demos:
    """Two demos from start to end: one writes to files, one to a terminal."""

    plain: Running
    in_a_terminal: Running
    screen: bytearray
    """What the terminal was sent by now."""


@pytest.fixture(scope="module", autouse=True)
def demos(folder: Path) -> Iterator[Demos]:
    """They take half a minute, since people speak in real time: begun first, looked at last."""
    screen, terminal = pty.openpty()
    given = {**environ(folder), "TERM": "xterm", "COLUMNS": "150"}
    options = ("demo", "--rate", "3", "--data-dir")
    with (
        os.fdopen(terminal, "wb", buffering=0) as tty,
        running(folder, given, *options, str(folder / "d1"), "--calls", "3", "--no-stay") as plain,
        running(folder, given, *options, str(folder / "d2"), "--calls", "1", terminal=tty) as shown,
    ):
        seen = bytearray()
        reader = threading.Thread(target=watch, args=(screen, seen))
        reader.start()
        yield Demos(plain, shown, seen)
    reader.join()
    os.close(screen)


def watch(screen: int, seen: bytearray) -> None:
    """Read what a terminal shows until nobody has it open any more."""
    with contextlib.suppress(OSError):
        while piece := os.read(screen, 1 << 16):
            seen.extend(piece)


@dataclass(frozen=True, slots=True)
class Up:
    """`trunkline up`, and the environment that it runs with."""

    command: Running
    given: Mapping[str, str]
    ready: str

    def api(self, path: str) -> object:
        """What the internal port answers."""
        url = f"http://127.0.0.1:{self.given['TRUNKLINE_INTERNAL_PORT']}/api/v1/{path}"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return json.load(answer)

    def calls_active(self) -> int:
        view = self.api("pod")
        assert isinstance(view, dict)
        return int(view["calls_active"])


@contextlib.contextmanager
def upped(folder: Path, settings: Mapping[str, str], uid: int | None = None) -> Iterator[Up]:
    """A pod that takes calls."""
    given = environ(folder, **settings)
    with running(folder, given, "up", "--env-file", os.devnull, uid=uid) as command:
        yield Up(command, given, command.until_said("trunkline answers"))


@pytest.fixture(scope="module")
def settings(folder: Path, realtime_url: str) -> dict[str, str]:
    return pod_settings(realtime_url, folder / "data")


@pytest.fixture(scope="module")
def up(folder: Path, settings: dict[str, str]) -> Iterator[Up]:
    """One for many tests; no test ends it."""
    with upped(folder, settings) as started:
        yield started


def calls_of(folder: Path, given: Mapping[str, str]) -> list[dict[str, object]]:
    """What `calls list --json` says."""
    found = run(folder, given, "calls", "list", "--json", "--env-file", os.devnull)
    assert (found.code, found.err) == (0, "")
    rows: list[dict[str, object]] = json.loads(found.out)
    return rows


# Settings.


def test_what_is_missing_is_told_in_a_line_each(folder: Path) -> None:
    """With the remedy; `pod` needs stores, too."""
    bare = ("--env-file", os.devnull)
    up, pod = run_all(folder, (environ(folder), ("up", *bare)), (environ(folder), ("pod", *bare)))
    for_both = (
        "TRUNKLINE_PUBLIC_URL: missing; set it to the https:// URL",
        "TRUNKLINE_TWILIO_AUTH_TOKEN: missing; copy",
        "TRUNKLINE_REALTIME_API_KEY: missing; set it or OPENAI_API_KEY",
    )
    up.assert_tells(2, *for_both)
    pod.assert_tells(
        2, *for_both, "TRUNKLINE_REDIS_URL: missing; set", "TRUNKLINE_DATABASE_URL: missing; set"
    )


def test_what_is_wrong_is_told_in_a_line_each(folder: Path) -> None:
    """By every command that reads settings: the name, what is expected, never a secret."""
    given = environ(
        folder,
        PORT="abc",
        CALLS_MAX="0",
        TWILIO_AUTH_TOKEN=f"two words {SECRET}",
        DATABASE_URL=f"http://user:{SECRET}@host/",
    )
    for done in run_all(
        folder, *((given, words) for words in (["up"], ["pod"], ["migrate"], ["calls", "list"]))
    ):
        done.assert_tells(
            2,
            "TRUNKLINE_PORT: expected a whole number from 0 to 65535, not 'abc'",
            "TRUNKLINE_DATABASE_URL: expected postgresql://…",
            "TRUNKLINE_TWILIO_AUTH_TOKEN: expected the account's auth token, without spaces",
            "TRUNKLINE_CALLS_MAX: expected a whole number from 1 to 1000, not '0'",
        )
        assert SECRET not in done.err


def test_a_wrong_config_file_is_told_with_its_lines(folder: Path) -> None:
    """File, line and column of each fault."""
    config = folder / "wrong.yaml"
    config.write_text("version: 1\nagents:\n  a: {instructionz: hello}\n")
    done = run(folder, environ(folder, **ENOUGH, CONFIG=str(config)), "up")
    assert done.code == 2
    assert all(line.startswith(f"trunkline: {config}:") for line in done.err.splitlines())
    assert f"{config}:3:7: agents.a.instructionz: unknown key" in done.err


def test_a_store_that_does_not_answer_is_told_by_its_setting(folder: Path, up: Up) -> None:
    """Exit code 1, one line, and no password in it."""
    nowhere = environ(folder, **ENOUGH, **NOWHERE)
    redis_url = f"unix://{up.given['TRUNKLINE_DATA_DIR']}/run/valkey.sock?db=0"
    half = {**nowhere, "TRUNKLINE_REDIS_URL": redis_url}
    *others, pod, pod_with_redis = run_all(
        folder,
        (nowhere, ["up"]),
        (nowhere, ["calls", "list"]),
        (nowhere, ["pod"]),
        (half, ["pod"]),
    )
    pod.assert_tells(1, "TRUNKLINE_REDIS_URL: Redis can't be reached")
    for done in (*others, pod_with_redis):
        done.assert_tells(1, "TRUNKLINE_DATABASE_URL: PostgreSQL can't be reached")
        assert SECRET not in done.err


def test_a_pod_does_not_run_on_a_schema_that_was_not_migrated(folder: Path, up: Up) -> None:
    """It says which command to run."""
    run_dir = f"{up.given['TRUNKLINE_DATA_DIR']}/run"
    stores = {
        "REDIS_URL": f"unix://{run_dir}/valkey.sock?db=0",
        "DATABASE_URL": f"postgresql://trunkline@/template1?host={run_dir}",
    }
    done = run(folder, environ(folder, **ENOUGH, **stores), "pod")
    needed = f"the database's schema is empty and {SCHEMA_NEEDED} is needed: run `trunkline mig"
    done.assert_tells(2, needed)


def test_a_place_that_is_taken_is_told(folder: Path, up: Up) -> None:
    """A port, an address that is not ours, a data folder, a parent that has gone."""
    given = environ(folder, **ENOUGH, DATA_DIR=str(folder / "other"))
    port = up.given["TRUNKLINE_PORT"]
    no_file = ("--env-file", os.devnull)
    taken, elsewhere, held, orphan = run_all(
        folder,
        ({**given, "TRUNKLINE_HOST": "127.0.0.1", "TRUNKLINE_PORT": port}, ["up", *no_file]),
        ({**given, "TRUNKLINE_INTERNAL_HOST": "192.0.2.1"}, ["up", *no_file]),
        ({**given, "TRUNKLINE_DATA_DIR": up.given["TRUNKLINE_DATA_DIR"]}, ["up", *no_file]),
        (given, ["up", *no_file, "--end-with-parent", str(up.command.pid)]),
    )
    taken.assert_tells(2, f"TRUNKLINE_PORT: cannot listen on 127.0.0.1:{port} (Address already in")
    elsewhere.assert_tells(2, "TRUNKLINE_INTERNAL_HOST: cannot listen on 192.0.2.1 (")
    held.assert_tells(1, f"{up.given['TRUNKLINE_DATA_DIR']} is held by pid {up.command.pid} (")
    assert (orphan.code, orphan.err) == (1, "")
    assert not (folder / "other").exists()


def test_to_read_a_call_log_makes_none(folder: Path) -> None:
    """In the wrong folder an empty list would be a lie, and a database there litter."""
    given = environ(folder, DATA_DIR=str(folder / "nothing"))
    done = run(folder, given, "calls", "list", "--env-file", os.devnull)
    done.assert_tells(2, f"TRUNKLINE_DATA_DIR: {folder / 'nothing'} holds no call log yet")
    assert not (folder / "nothing").exists()


# A pod between two simulators.


def test_both_simulators_and_a_pod_make_a_call_that_the_log_has(folder: Path, up: Up) -> None:
    """Three commands, and two more to read: as a table, as JSON, and one call as facts."""
    assert up.ready == (
        f"trunkline answers on port {up.given['TRUNKLINE_PORT']}; "
        f"health, metrics and calls on port {up.given['TRUNKLINE_INTERNAL_PORT']}"
    )
    url = up.given["TRUNKLINE_PUBLIC_URL"]
    said = up.command.until_said("webhooks for Twilio")
    assert f"{url}/twilio/voice for calls, {url}/twilio/status" in said
    carrier = run(
        folder, up.given, "sim", "carrier", "--url", f"{url}/twilio/voice", "--say", "hello"
    )
    assert carrier.code == 0, carrier
    assert re.search(r"^calls +1, 0 with faults$", carrier.out, re.MULTILINE)
    assert re.search(r"^first sound +\d+ ms median", carrier.out, re.MULTILINE)

    row = calls_of(folder, up.given)[0]
    assert (row["outcome"], row["reason"], row["agent"]) == ("caller_ended", "stop", "assistant")
    call = str(row["call"])
    no_file = ("--env-file", os.devnull)
    table, shown, as_json, unknown = run_all(
        folder,
        (up.given, ["calls", "list", *no_file]),
        (up.given, ["calls", "show", call, *no_file]),
        (up.given, ["calls", "show", call, "--json", *no_file]),
        (up.given, ["calls", "show", "CA\x1b[2J", *no_file]),
    )
    heading, first = (line.split() for line in table.out.splitlines()[:2])
    assert dict(zip(heading[2:], first[3:], strict=True))["call"] == call
    kinds = [fact["kind"] for fact in json.loads(as_json.out)["facts"]]
    assert [kinds[0], kinds[-1]] == ["call_received", "call_ended"]
    assert [kind for kind in kinds if f" {kind} " not in shown.out] == []
    unknown.assert_tells(1, r"the call log has no call CA\u001b[2J: see trunkline calls list")


def test_a_call_to_a_wrong_url_fails_with_a_reason(folder: Path, up: Up) -> None:
    """Exit code 1; a URL that is none does not get so far."""
    (closed,) = free_ports(1)
    nobody, wrong_path, none = run_all(
        folder,
        (up.given, ["sim", "carrier", "--url", f"http://127.0.0.1:{closed}/twilio/voice"]),
        (up.given, ["sim", "carrier", "--url", f"{up.given['TRUNKLINE_PUBLIC_URL']}/voice"]),
        (up.given, ["sim", "carrier", "--url", "http://:80/"]),
    )
    assert (nobody.code, nobody.err) == (1, "")
    assert re.search(r"^warning 11205 +1  ClientConnectorError$", nobody.out, re.MULTILINE)
    assert (wrong_path.code, wrong_path.err) == (1, "")
    assert re.search(r"^warning 11200 +1  .*404", wrong_path.out, re.MULTILINE), wrong_path.out
    none.assert_tells(2, "--url: expected http://HOST/PATH")


def test_a_reader_who_leaves_is_no_error(folder: Path, up: Up) -> None:
    """`trunkline calls list | head -0` says nothing more; a full disk is told in a line."""
    given = {**up.given, "TRUNKLINE_DATABASE_URL": ""}
    arguments = ("calls", "list", "--env-file", os.devnull)
    reader, writer = os.pipe()
    os.close(reader)
    with (
        os.fdopen(writer, "wb", buffering=0) as broken,
        running(folder, given, *arguments, stdout=broken) as piped,
        Path("/dev/full").open("wb") as full,
        running(folder, given, *arguments, stdout=full) as filled,
    ):
        assert piped.done().err == ""
        done = filled.done()
        assert (done.code, len(done.err.splitlines())) == (1, 1), done
        assert "No space left on device" in done.err


def test_migrations_wait_for_each_other(folder: Path) -> None:
    """Two at once on one data folder, then a third that finds nothing to do."""
    given = environ(folder, DATA_DIR=str(folder / "migrated"))
    words = ["migrate", "--env-file", os.devnull]
    both = run_all(folder, (given, words), (given, words))
    assert [(done.code, done.err) for done in both] == [(0, "")] * 2
    assert {done.out for done in both} == {
        f"schema: base → {head()}\n",
        f"schema: {head()}, nothing to do\n",
    }
    assert run(folder, given, *words).out == f"schema: {head()}, nothing to do\n"


# A pod's end.


def test_a_pod_ends_when_it_is_told_and_its_log_stays(folder: Path, realtime_url: str) -> None:
    """SIGTERM without calls: exit code 0 within seconds, and nobody is left of it.

    A second life finds the log of the first. Ctrl-C lets a call go on; a second one ends it, which
    the log knows.
    """
    own = pod_settings(realtime_url, folder / "ends")
    with upped(folder, own) as first:
        family = first.command.family()
        assert {process.name() for process in family} >= {"postgres", "valkey-server"}
        url = f"{first.given['TRUNKLINE_PUBLIC_URL']}/twilio/voice"
        short = ("--url", url, "--say", "hello")
        assert run(folder, first.given, "sim", "carrier", *short).code == 0
        first.command.send(signal.SIGTERM)
        assert first.command.done(GONE_S_MAX).code == 0
        assert_gone(family)
    before = calls_of(folder, first.given)
    assert len(before) == 1

    with upped(folder, own) as second:
        family = second.command.family()
        long = ("--url", url, *("--say", "tell me everything") * 20)
        with running(folder, second.given, "sim", "carrier", *long) as carrier:
            second.command.until(lambda: second.calls_active() == 1)
            second.command.send(signal.SIGINT)
            second.command.until_said("draining: calls may end; Ctrl-C again ends them now")
            assert second.calls_active() == 1
            second.command.send(signal.SIGINT)
            assert second.command.done(GONE_S_MAX).code == 0
            assert_gone(family)
            carrier.send(signal.SIGINT)
            assert carrier.done().code in {0, 130}
    after = calls_of(folder, second.given)
    assert after[1:] == before
    assert (after[0]["outcome"], after[0]["reason"]) == ("failed", "drained")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_normal_user_runs_a_pod(folder: Path, realtime_url: str) -> None:
    """In a folder of theirs; what they may not read is told; a wrong key shows at once."""
    here = Path(__file__)
    if not all(place.stat().st_mode & 0o001 for place in here.resolve().parents):
        pytest.skip("this checkout lies in a folder that is closed to normal users")
    home = folder / "home"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    own = pod_settings(realtime_url, home / "data") | {"REALTIME_API_KEY": f"wrong-{SECRET}"}
    with upped(folder, own, uid=NOBODY) as pod:
        family = pod.command.family()
        assert {process.uids().real for process in family} == {NOBODY}
        pod.command.until(lambda: '"session_refused"' in pod.command.err())
        line = next(line for line in pod.command.err().splitlines() if "session_refused" in line)
        assert json.loads(line)["reason"] == "invalid_api_key"
        assert SECRET not in pod.command.err()
        pod.command.send(signal.SIGTERM)
        assert pod.command.done(GONE_S_MAX).code == 0
        assert_gone(family)
    closed = folder / "closed.env"
    closed.write_text("TRUNKLINE_PORT=1\n")
    closed.chmod(0o600)
    with running(folder, environ(folder), "up", "--env-file", str(closed), uid=NOBODY) as refused:
        refused.done().assert_tells(2, f"{closed}: cannot be read (Permission denied)")


# The demo.


def test_a_demo_that_is_killed_leaves_nothing_and_starts_again(folder: Path) -> None:
    """SIGKILL ends pod and stores too; Ctrl-C in the middle of the next ends within seconds.

    A second one on the same folder, and one whose pod is killed, say so in a line each.
    """
    own = folder / "d3"
    words = ("demo", "--calls", "3", "--rate", "3", "--data-dir", str(own), "--no-stay")
    with running(folder, environ(folder), *words) as killed:
        killed.until_said("the pod answers on")
        family = killed.family()
        names = [process.name() for process in family]
        assert {"postgres", "valkey-server"} <= set(names), names
        killed.send(signal.SIGKILL)
        killed.process.wait()
        assert_gone(family)
    bereft_words = ("demo", "--calls", "1", "--data-dir", str(folder / "d5"), "--no-stay")
    with (
        running(folder, environ(folder), *words) as again,
        running(folder, environ(folder), *bereft_words) as bereft,
    ):
        bereft.until_said("live")
        next(each for each in bereft.family() if "up" in each.cmdline()).kill()
        again.until_said("3 live")
        second = run(folder, environ(folder), *words)
        assert re.fullmatch(
            rf"trunkline: the pod did not start: {own} is held by pid \d+ \(.*\): stop it, or set "
            "--data-dir to another folder\n",
            second.err,
        )
        assert second.code == 1
        family = again.family()
        again.send(signal.SIGINT)
        done = again.done(GONE_S_MAX)
        assert (done.code, done.err) == (130, "")
        assert_gone(family)
        done = bereft.done()
        assert done.err.startswith("trunkline: the pod does not answer any more: ")
        assert (done.code, len(done.err.splitlines())) == (1, 1)


def test_ctrl_c_is_answered_while_a_command_still_loads(folder: Path) -> None:
    """Not a word, from the first moment on; a shell says 130, told or ended by the signal.

    While uvloop takes the signal over there is a moment in which the kernel's own answer holds.
    """
    with running(folder, environ(folder), "demo", "--data-dir", str(folder / "d4")) as demo:
        me = psutil.Process(demo.pid)
        demo.until(lambda: any("uvloop" in each.path for each in me.memory_maps()))
        demo.send(signal.SIGINT)
        done = demo.done(GONE_S_MAX)
    assert done.code in {130, -signal.SIGINT}
    assert done.err == ""


def test_a_demos_folder_that_cannot_be_used_is_told(folder: Path) -> None:
    """One line that names the option."""
    (folder / "file").write_text("")
    done = run(folder, environ(folder), "demo", "--data-dir", str(folder / "file"))
    assert done.err.startswith(f"trunkline: --data-dir: {folder / 'file'} can't be used (")
    assert (done.code, len(done.err.splitlines())) == (2, 1)


def test_the_demo_shows_what_it_promises(demos: Demos) -> None:
    """Exit code 0 by itself where nobody can press Ctrl-C; figures, rows and a transcript.

    No setting that lies about is taken for the demo's.
    """
    done = demos.plain.done()
    assert (done.code, done.err) == (0, ""), done
    assert "3 live, 0 of 3 done" in done.out
    for pattern in (
        r"^calls +3, 0 warnings",
        r"^answer: stream to first sound +p50 \d+\.\d ms",
        r"^turns: end of speech to first sound +\d+ turns, p50 \d+\.\d ms",
        r"^barge-in: first word to silence +2 times, p50 \d+\.\d ms",
        r"^added by the pod, caller to model +p50 \d+\.\d ms",
        r"^rows of the call log +3 calls, \d+ facts",
        r"^caller +i would like to book an appointment tomorrow",
    ):
        assert re.search(pattern, done.out, re.MULTILINE), (pattern, done.out)
    assert "\x1b" not in done.out


def test_in_a_terminal_the_demo_stays_until_ctrl_c(demos: Demos) -> None:
    """It draws a table, says where to look, and leaves well and wholly when it is told."""
    shown = demos.in_a_terminal
    shown.until(lambda: b"--auth-token" in demos.screen)
    assert b"1 live, 0 of 1 done" in demos.screen
    assert b"The pod stays up until Ctrl-C" in demos.screen
    family = shown.family()
    assert len(family) > 3
    shown.send(signal.SIGINT)
    assert shown.process.wait(GONE_S_MAX) == 0, demos.screen.decode()
    assert_gone(family)
