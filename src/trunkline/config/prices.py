"""The price list: a dated TOML file, ours or the user's own, read exactly."""

import datetime as dt
import importlib.resources
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from trunkline.core.costs import PICO_PER_TOKEN, PICO_PER_USD, CarrierPrices, Kind, Prices
from trunkline.errors import SettingsError

SETTING: Final = "TRUNKLINE_PRICES"

USD_MAX: Final = 1_000_000
"""No price is higher: beyond it is a typing error."""

FILE_BYTES_MAX: Final = 1024 * 1024
"""A longer file is no price list; it is refused unread."""

VALUE_CHARS_MAX: Final = 80
"""A wrong value is quoted up to this length."""


Price = Annotated[Decimal, Field(ge=0, le=USD_MAX, decimal_places=6)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Model(_Part):
    text_in: Price | None = None
    text_cached: Price | None = None
    audio_in: Price | None = None
    audio_cached: Price | None = None
    image_in: Price | None = None
    image_cached: Price | None = None
    text_out: Price | None = None
    audio_out: Price | None = None


class _Carrier(_Part):
    inbound: Price
    outbound: Price
    stream: Price
    step_s: Annotated[int, Field(ge=1, le=3600)] = 60


class _File(_Part):
    as_of: dt.date
    source: str
    models: dict[str, _Model]
    carrier: _Carrier | None = None


def load(path: Path | None) -> Prices:
    """The price list in a file; without one, that of Trunkline.

    Raises:
        SettingsError: a line for each fault: `TRUNKLINE_PRICES: file: key: what is expected`.
    """
    if path is None:
        ours = importlib.resources.files("trunkline.config") / "prices.toml"
        return read(ours.read_bytes(), Path("prices.toml"))
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise SettingsError(
            f"{SETTING}: {path}: cannot be read ({error.strerror}); expected a price list, or "
            "none to use Trunkline's"
        ) from None
    return read(content, path)


def read(content: bytes, path: Path) -> Prices:
    """As `load`, from a file's content; `path` is what errors call it."""
    if len(content) > FILE_BYTES_MAX:
        raise SettingsError(f"{SETTING}: {path}: longer than {FILE_BYTES_MAX} bytes")
    try:
        # As decimals: 0.06 has no exact binary fraction.
        table = tomllib.loads(content.decode(), parse_float=Decimal)
        file = _File.model_validate(table)
    except UnicodeDecodeError:
        raise SettingsError(f"{SETTING}: {path}: expected text in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{SETTING}: {path}: expected TOML: {error}") from None
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(error, path))) from None
    return Prices(
        as_of=file.as_of,
        source=file.source,
        models={name: _tokens(model) for name, model in file.models.items()},
        carrier=_minutes(file.carrier),
    )


def _tokens(model: _Model) -> dict[Kind, int]:
    prices: dict[str, Decimal | None] = dict(model)
    return {
        kind: int(price * PICO_PER_TOKEN)
        for kind in Kind
        if (price := prices[kind.value]) is not None
    }


def _minutes(carrier: _Carrier | None) -> CarrierPrices | None:
    if carrier is None:
        return None
    return CarrierPrices(
        inbound=int(carrier.inbound * PICO_PER_USD),
        outbound=int(carrier.outbound * PICO_PER_USD),
        stream=int(carrier.stream * PICO_PER_USD),
        step_s=carrier.step_s,
    )


EXPECTED: Final = {
    "as_of": "the day the prices are of, such as 2026-11-22",
    "source": "text: where the prices are from",
    "models": "a table of models",
    "carrier": "a table with inbound, outbound, stream and step_s",
    "step_s": "seconds: a whole number from 1 to 3600",
}
"""What a right value looks like, by its key; any other is a price."""


def _explain(error: ValidationError, path: Path) -> list[str]:
    lines = []
    for fault in error.errors(include_url=False, include_context=False):
        place = ".".join(str(step) for step in fault["loc"])
        key = str(fault["loc"][-1])
        if fault["type"] == "extra_forbidden":
            lines.append(f"{SETTING}: {path}: {place}: no such key")
            continue
        expected = EXPECTED.get(key, _price(fault["loc"]))
        line = f"{SETTING}: {path}: {place}: expected {expected}"
        if fault["type"] != "missing":
            line += f", not {fault['input']!r:.{VALUE_CHARS_MAX}}"
        lines.append(line)
    return lines


def _price(place: tuple[int | str, ...]) -> str:
    unit = "a minute" if place[0] == "carrier" else "for a million tokens"
    if place[0] == "models" and len(place) == 2:  # noqa: PLR2004 - models.NAME
        return "a table of prices"
    return f"USD {unit}: a number from 0, with at most 6 decimals"
