"""Families of failure, by whose fault it is.

TrunklineError
├── SettingsError          a setting or the config file is wrong: the user can mend it
├── CarrierError           the carrier failed or refused us
│   └── CarrierProtocolError   a carrier's message is not of the protocol
├── ModelError             the realtime model failed or refused us
│   └── ModelProtocolError     a model's message is not of the protocol
├── NeighbourProtocolError another pod's message is not of the protocol between pods
├── SoundError             a clip of our own can't be read or made
└── StoreError             Redis or Postgres failed or refused us
    ├── Held                   another process holds the data folder's stores
    ├── Fenced                 a later epoch or sequence owns the call: stop writing for it
    └── Behind                 the journal lost its tail in a crash: append again from there

Our own bugs are assertions. Expected failure is an event or a result, not an exception.
"""

from collections.abc import Iterator
from contextlib import contextmanager


class TrunklineError(Exception):
    """What went wrong, in one line that names the remedy where there is one."""


class SettingsError(TrunklineError):
    """A setting or the config file is wrong. Exit code 2."""


class CarrierError(TrunklineError):
    """The carrier failed, refused us, or was not in time."""


class CarrierProtocolError(CarrierError):
    """A message breaks the carrier's stream protocol.

    `code` is the warning Twilio itself would log for it (31950 malformed, 31951 not acceptable).
    """

    def __init__(self, message: str, code: int = 31951) -> None:
        super().__init__(message)
        self.code = code


class ModelError(TrunklineError):
    """The realtime model failed, refused us, or was not in time."""


class ModelProtocolError(ModelError):
    """A message breaks the realtime protocol.

    `code` and `param` are those of the protocol's `error` event.
    """

    def __init__(self, message: str, code: str = "invalid_value", param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.param = param


class NeighbourProtocolError(TrunklineError):
    """What another pod said, or what claims to be one, can't be read."""


class SoundError(TrunklineError):
    """A sound file can't be used, or a speech engine failed or refused us."""


class StoreError(TrunklineError):
    """Redis or Postgres failed, refused us, or was not in time."""


class Held(StoreError):  # noqa: N818 - a state of affairs, as Fenced
    """The data folder's stores are another process's, which may be reached through them."""


class Fenced(StoreError):  # noqa: N818 - a state of affairs, not a failure of the store
    """The call has a later epoch or another sequence: whoever is told so writes no more for it."""


class Behind(StoreError):  # noqa: N818 - a state of affairs, as Fenced
    """The journal holds less than it acknowledged: append again what follows `seq`, `hash`.

    These two are the head of the chain as the journal has it.
    """

    def __init__(self, message: str, seq: int, hash: str) -> None:  # noqa: A002 - its name in Head
        super().__init__(message)
        self.seq = seq
        self.hash = hash


@contextmanager
def naming(setting: str) -> Iterator[None]:
    """A store's failure begins with the setting that led there: who reads it can mend that."""
    try:
        yield
    except StoreError as error:
        raise StoreError(f"{setting}: {error}") from error
