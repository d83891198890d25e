"""Whom the servers run as, which folders they may use, and where their sockets lie."""

import hashlib
import os
import pwd
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trunkline.errors import SettingsError

RUN_PATH_BYTES_MAX: Final = 80
"""Longest folder of sockets: `sun_path` holds 107 bytes, and the sockets' names need 20."""

NOBODY: Final = "nobody"
"""Whom root's stores run as, unless the data folder belongs to somebody."""

PLAIN_PATH: Final = re.compile(r"[A-Za-z0-9/._-]+\Z")


@dataclass(frozen=True, slots=True)
class User:
    """Whom the servers run as."""

    uid: int
    gid: int
    name: str


def own(folder: Path, user: User | None) -> None:
    """Make a folder of the servers' user, closed to others; refuse one of somebody else.

    Raises:
        SettingsError: the folder is another user's, or open to others, or no folder.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    if user is not None and folder.lstat().st_uid == 0:
        os.chown(folder, user.uid, user.gid, follow_symlinks=False)
    found, wanted = folder.lstat(), user.uid if user else os.geteuid()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != wanted or found.st_mode & 0o077:
        raise SettingsError(
            f"{folder} is no folder of user {wanted} alone: start as the user who made it, or"
            " set TRUNKLINE_DATA_DIR to another folder"
        )


def run_dir_for(data_dir: Path) -> Path:
    """The folder of the sockets: within the data folder, or under /tmp if its path won't do.

    It won't do if it is too long for `sun_path`, or holds what a setting or a URL must quote.
    """
    inside = data_dir / "run"
    if len(os.fsencode(inside)) <= RUN_PATH_BYTES_MAX and PLAIN_PATH.match(str(inside)):
        return inside
    name = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    return Path(f"/tmp/trunkline-{os.geteuid()}-{name}/run")  # noqa: S108 - see `shelter`


def user_for(data_dir: Path) -> User | None:
    """Whom the servers run as; None if as ourselves, since we are not root."""
    if os.geteuid() != 0:
        return None
    uid = data_dir.stat().st_uid
    try:
        found = pwd.getpwuid(uid) if uid else pwd.getpwnam(NOBODY)
    except KeyError:
        raise SettingsError(
            f"PostgreSQL does not run as root, and {f'uid {uid}' if uid else 'nobody'} is no user"
            " here: give the data folder to a user (chown), or start as one"
        ) from None
    return User(found.pw_uid, found.pw_gid, found.pw_name)


def shelter(folder: Path, *, closed: bool) -> None:
    """A folder of ours under /tmp, for the sockets' folder in it; closed to others if asked.

    Raises:
        SettingsError: somebody else made it before.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise SettingsError(f"{folder} was made by somebody else: remove it")
    folder.chmod(0o700 if closed else 0o711)


def open_way(user: User, data_dir: Path, *binaries: Path, can_pass: bool) -> bool:
    """Make the data folder the user's to enter; whether folders on the way are closed to it.

    If they are, the servers pass by a capability of root's (`privilege`), and the data folder is
    closed to everybody else: another process of their user could have PostgreSQL read root's files.
    A folder that belongs to somebody is not taken away: who owns it should start the stores.

    Raises:
        SettingsError: folders are closed, and the servers can't be given leave to pass.
    """
    above = [folder for place in binaries for folder in (place, *place.resolve().parents)]
    above += data_dir.resolve().parents
    for folder in above:
        if _may_enter(user, folder):
            continue
        if can_pass and user.name == NOBODY:
            os.chown(data_dir, 0, 0)
            data_dir.chmod(0o700)
            return True
        raise SettingsError(
            f"started as root, the stores run as {user.name}, to whom {folder} is closed: open it"
            " (chmod o+x), start as a normal user, or have the data elsewhere (TRUNKLINE_DATA_DIR)"
        )
    if not _may_enter(user, data_dir):
        os.chown(data_dir, user.uid, user.gid)
    return False


def _may_enter(user: User, folder: Path) -> bool:
    found = folder.stat()
    if found.st_uid == user.uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if found.st_gid == user.gid:
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)
