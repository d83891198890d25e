"""The command line's root: `trunkline COMMAND`."""

import gc
import sys
from typing import Final

from trunkline.cli import streams
from trunkline.cli.app import app
from trunkline.errors import SettingsError, TrunklineError

EXIT_FAILED: Final = 1
EXIT_SETTINGS: Final = 2
EXIT_INTERRUPTED: Final = 130

YOUNG_OBJECTS_MAX: Final = 10_000
"""So many new objects, less those that went, before the garbage collector looks at them. Python's
700 has it look hundreds of times at what is being imported, which stays: a fifth of a start."""


def main() -> None:
    """Run a command. What a user can mend is one line: exit code 2 for settings, 1 for others."""
    gc.set_threshold(YOUNG_OBJECTS_MAX)
    streams.mend()
    try:
        app()
    except SettingsError as error:
        _leave(error, EXIT_SETTINGS)
    except TrunklineError as error:
        _leave(error, EXIT_FAILED)
    except OSError as error:
        streams.give_up_stdout()
        _leave(TrunklineError(f"the system refused: {error}"), EXIT_FAILED)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


def _leave(error: TrunklineError, code: int) -> None:
    for line in str(error).splitlines():
        print(f"trunkline: {line}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
