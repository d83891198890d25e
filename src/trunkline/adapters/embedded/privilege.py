"""Ways of root's to a server that must not be root, through folders that are closed to others.

PostgreSQL refuses to run as root, so root's servers run as another user. A checkout under /root,
or one made by `mktemp -d`, is closed to that user. Instead of opening root's folders, the servers
keep one capability of root's, CAP_DAC_READ_SEARCH (capabilities(7)): to pass through folders and
to read.
"""

import ctypes
import os
from pathlib import Path
from typing import Final

from trunkline.adapters.embedded.places import User

CAP_DAC_READ_SEARCH: Final = 2
CAP_SETPCAP: Final = 8
CAPABILITY_VERSION_3: Final = 0x20080522
PR_SET_SECUREBITS: Final = 28
SECBIT_NO_SETUID_FIXUP: Final = 4
"""A change of user changes no capability: we name those that stay. Without it access(2) would
answer as if there were none, and initdb asks it where PostgreSQL is."""
PR_CAP_AMBIENT: Final = 47
PR_CAP_AMBIENT_RAISE: Final = 2


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def can_share_search() -> bool:
    """Whether this process has the capability, and may pass it on."""
    status = Path("/proc/self/status").read_text()
    sets = dict(line.split(":\t") for line in status.splitlines() if line.startswith("Cap"))
    bit = 1 << CAP_DAC_READ_SEARCH
    held = (int(sets.get(name, "0"), 16) for name in ("CapEff", "CapPrm", "CapBnd"))
    return all(one & bit for one in held) and bool(int(sets["CapEff"], 16) & 1 << CAP_SETPCAP)


def become(user: User) -> None:
    """Be that user from now on, with the capability to pass through closed folders.

    For a child between fork and exec. Raises `OSError` where the kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    bit = 1 << CAP_DAC_READ_SEARCH
    sets = (_Sets * 2)(_Sets(bit, bit, bit), _Sets(0, 0, 0))
    _checked(libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0))
    os.setgroups([])
    os.setresgid(user.gid, user.gid, user.gid)
    os.setresuid(user.uid, user.uid, user.uid)
    _checked(libc.capset(ctypes.byref(_Header(CAPABILITY_VERSION_3, 0)), sets))
    _checked(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_READ_SEARCH, 0, 0))


def _checked(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), "the kernel refused a capability")
