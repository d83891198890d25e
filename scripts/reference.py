"""Write docs/reference from the code: settings, config file and its schema, metrics, logs.

python scripts/reference.py           write what has changed
python scripts/reference.py --check   say what is out of date, exit code 1 if anything is
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from trunkline.config import file, parts, references, schema, values
from trunkline.config import settings as module
from trunkline.config.settings import Settings
from trunkline.telemetry import logs, pace
from trunkline.telemetry.fields import FIELDS
from trunkline.telemetry.metrics import Metrics
from trunkline.telemetry.names import MEANINGS
from trunkline.telemetry.series import OTHER, Histogram

FOLDER = Path(__file__).parents[1] / "docs" / "reference"

HEAD = "<!-- Written by scripts/reference.py from the code: change it there. -->\n\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines
    )


def settings() -> str:
    """The page of settings."""
    rows = []
    for name, field in Settings.model_fields.items():
        extra = field.json_schema_extra
        assert isinstance(extra, dict)
        default = f"`{field.default}`".replace("False", "false")
        if field.default_factory is not None:
            default = "see right"
        if field.default is None:
            default = ""
        variable = f"`{module.variable(name)}`"
        if name in module.secrets():
            variable += " (secret)"
        rows.append((variable, default, str(extra["expected"]), str(field.description)))
    return f"""{HEAD}# Settings

Read once, from the environment and then from a file `.env` in the folder where a command runs.
An empty value is none. Each secret may also come from a file that `…_FILE` names, such as
`TRUNKLINE_TICKET_KEY_FILE=/run/secrets/ticket-key`. A wrong setting is told in one line and ends
the command with exit code 2; an unknown `TRUNKLINE_…` variable is a warning. No output shows a
secret.

A pod needs three before it takes calls: `TRUNKLINE_PUBLIC_URL`, `TRUNKLINE_TWILIO_AUTH_TOKEN`,
and `TRUNKLINE_REALTIME_API_KEY` or `{module.KEY_FALLBACK}`.

""" + table(("Variable", "Default", "Expected", "Meaning"), rows)


def records() -> Iterator[tuple[str, type[parts.Part]]]:
    """The records of the file, each under the name of its key."""
    yield from (
        ("The file", schema.Config),
        ("verticals.NAME", schema.Vertical),
        ("tenants.NAME", schema.Tenant),
        ("agents.NAME", schema.Agent),
        ("agents.NAME.models[]", parts.Model),
        ("agents.NAME.turn_detection (server_vad)", parts.ServerVad),
        ("agents.NAME.turn_detection (semantic_vad)", parts.SemanticVad),
        ("agents.NAME.transcription", parts.Transcription),
        ("limits, of an agent or a vertical", schema.Limits),
        ("numbers.NUMBER", schema.Number),
        ("numbers.NUMBER.overflow", schema.Overflow),
        ("numbers.NUMBER.overflow.voicemail", schema.Voicemail),
        ("tools.NAME (http)", schema.HttpTool),
        ("tools.NAME (python)", schema.PythonTool),
        ("context_hook", schema.ContextHook),
    )


def kind(node: Mapping[str, Any]) -> str:
    """What JSON schema says of a value, in words."""
    options = node.get("oneOf") or node.get("anyOf")
    if options:
        return "; or ".join(dict.fromkeys(kind(option) for option in options))
    if "$ref" in node:
        return "a mapping"
    if "const" in node:
        return f"`{node['const']}`".replace("`True`", "`true`")
    if "enum" in node:
        return ", ".join(f"`{value}`" for value in node["enum"])
    if node.get("pattern") in values.EXPECTED:
        return values.EXPECTED[node["pattern"]]
    low, high = node.get("minimum", node.get("exclusiveMinimum")), node.get("maximum")
    bounds = f" from {low:g} to {high:g}" if low is not None and high is not None else ""
    match node.get("type"):
        case "string":
            return "text"
        case "integer":
            return "a whole number" + bounds
        case "number":
            return "a number" + bounds
        case "array":
            return f"a list of: {kind(node['items'])}"
        case "object":
            return "a mapping"
        case other:
            return str(other or "any JSON")


def without_nulls(default: object) -> object:
    """A default without what it leaves unset."""
    if isinstance(default, dict):
        return {key: value for key, value in default.items() if value is not None}
    return default


def config() -> str:
    """The page of the config file."""
    built_in = ", ".join(f"`{name}`" for name in references.BUILT_IN_TOOLS)
    page = f"""{HEAD}# trunkline.yaml

`TRUNKLINE_CONFIG` names the file; without one, a built-in agent answers every number.
[examples/trunkline.yaml](../../examples/trunkline.yaml) shows most of it, with comments. Every
fault is told at once, as `file:line:column: path: what is wrong`.

Editors check the file while it is written against [{file.SCHEMA_ID}]({file.SCHEMA_ID}); put this
line at its top:

    # yaml-language-server: $schema=PATH/TO/{file.SCHEMA_ID}

Secrets stand in the environment; the file holds only the names of their variables. For each,
`NAME_FILE` may name a file instead. Text of an agent may hold `{{{{name}}}}`, filled in from the
number's variables and the context hook's answer; an unknown name leaves nothing, and
`{{{{{{{{` is a plain `{{{{`.

Tools that are built in: {built_in}.
"""
    for title, part in records():
        described = part.model_json_schema()
        required = set(described.get("required", ()))
        rows = []
        for key, node in described["properties"].items():
            default = without_nulls(node.get("default"))
            shown = "" if default in (None, "", [], {}) else f"`{json.dumps(default)}`"
            if key in required:
                shown = "required"
            rows.append((f"`{key}`", kind(node), shown, node["description"]))
        page += f"\n## {title}\n\n{part.__doc__}\n\n"
        page += table(("Key", "Value", "Default", "Meaning"), rows)
    return page


def config_schema() -> str:
    """The JSON schema of the config file."""
    return json.dumps(file.json_schema(), indent=2, ensure_ascii=False) + "\n"


def metrics() -> str:
    """The page of metrics."""
    rows = []
    for one in Metrics().series():
        spec = one.spec
        labels = "; ".join(f"`{label.name}`: {', '.join(label.values)}" for label in spec.labels)
        bounds = ""
        if isinstance(one, Histogram):
            bounds = f" Bounds: {', '.join(f'{bound:g}' for bound in one.bounds)}."
        rows.append((f"`{spec.name}`", one.kind, spec.unit, labels, spec.meaning + bounds))
    return f"""{HEAD}# Metrics

In Prometheus' text format at `/metrics` on the internal port. Labels have closed sets of values;
whatever is in none of them is counted as `{OTHER}`, so nothing that a peer sends makes a series
or shows in one. Beside these, the process's own (`process_…`).

""" + table(("Metric", "Kind", "Unit", "Labels", "Meaning"), rows)


def log_lines() -> str:
    """The page of log lines."""
    names = table(("Name", "Meaning"), ((f"`{n}`", meaning) for n, meaning in MEANINGS.items()))
    fields = table(("Field", "Holds"), ((f"`{n}`", meaning) for n, meaning in FIELDS.items()))
    return f"""{HEAD}# Logs

One JSON object a line, on stderr: `at` (UTC), `level`, `event` (its name), then fields. Names stay
as they are. No number dialled and no word spoken is a field; values are cut at
{logs.VALUE_CHARS_MAX} characters, and what looks like a number, an address or a secret is masked.
One name writes {pace.LINES_BURST:g} lines at once and {pace.LINES_PER_S:g} a second; what is held
back is counted in `suppressed` on the name's next line.

{names}
## Fields

{fields}"""


def pages() -> dict[str, str]:
    """Every file of the reference that is written here, by its name."""
    return {
        "settings.md": settings(),
        "config.md": config(),
        file.SCHEMA_ID: config_schema(),
        "metrics.md": metrics(),
        "logs.md": log_lines(),
    }


def main() -> int:
    """Write or check; the exit code."""
    check = "--check" in sys.argv[1:]
    stale = [
        name
        for name, text in pages().items()
        if not (FOLDER / name).exists() or (FOLDER / name).read_text() != text
    ]
    for name in stale:
        print(f"docs/reference/{name} {'is out of date' if check else 'written'}")
        if not check:
            FOLDER.mkdir(parents=True, exist_ok=True)
            (FOLDER / name).write_text(pages()[name])
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
