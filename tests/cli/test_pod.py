import subprocess
import sys
from pathlib import Path

ASK = """
import sys
from trunkline.cli import pod
from trunkline.errors import SettingsError
try:
    pod.pod(env_file=None)
except SettingsError as error:
    print(error, "trunkline.pod.compose" in sys.modules)
"""


def test_what_is_missing_is_told_before_anything_is_loaded_that_carries_calls(
    tmp_path: Path,
) -> None:
    """A second earlier."""
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=tmp_path,
        env={},
        capture_output=True,
        text=True,
        check=True,
    )
    told = done.stdout.splitlines()
    assert told[0].startswith("TRUNKLINE_PUBLIC_URL: missing")
    assert told[-1].startswith("TRUNKLINE_DATABASE_URL: missing")
    assert told[-1].endswith(" False")
