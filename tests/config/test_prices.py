from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.config import prices
from trunkline.config.prices import FILE_BYTES_MAX, load
from trunkline.config.settings import Settings
from trunkline.core.costs import CarrierPrices, Kind
from trunkline.errors import SettingsError

HEAD = 'as_of = 2026-01-02\nsource = "the contract"\n'
MINE = Path("mine.toml")


def faults(text: str | bytes) -> list[str]:
    content = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(SettingsError) as caught:
        prices.read(content, MINE)
    return str(caught.value).splitlines()


def test_the_list_that_comes_with_trunkline() -> None:
    """Dated; it has the model of the default settings, and the carrier."""
    ours = load(None)
    assert ours.as_of == date(2026, 11, 22)
    assert ours.source
    model = ours.models[Settings().realtime_model]
    assert set(model) == set(Kind)
    # 4 USD for a million tokens are 4 microdollars each.
    assert model[Kind.TEXT_IN] == 4_000_000
    assert model[Kind.AUDIO_OUT] == 64_000_000
    assert ours.models["gpt-realtime-2.1-mini"][Kind.TEXT_CACHED] == 60_000
    assert ours.carrier == CarrierPrices(8_500_000_000, 14_000_000_000, 4_400_000_000, 60)


def test_a_cached_token_is_never_dearer() -> None:
    """A price typed into the wrong line would show here."""
    for model in load(None).models.values():
        assert model[Kind.TEXT_CACHED] <= model[Kind.TEXT_IN] <= model[Kind.AUDIO_IN]
        assert model[Kind.AUDIO_CACHED] <= model[Kind.AUDIO_IN] <= model[Kind.AUDIO_OUT]


def test_a_list_of_ones_own(tmp_path: Path) -> None:
    """It stands in for ours whole; what it leaves out has no price."""
    path = tmp_path / "mine.toml"
    path.write_text(HEAD + '[models."my-model"]\ntext_in = 0.000001\n')
    mine = load(path)
    assert mine.models == {"my-model": {Kind.TEXT_IN: 1}}
    assert mine.carrier is None


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """One line with the setting and the remedy."""
    with pytest.raises(SettingsError) as caught:
        load(tmp_path / "none.toml")
    assert str(caught.value) == (
        f"TRUNKLINE_PRICES: {tmp_path / 'none.toml'}: cannot be read (No such file or directory); "
        "expected a price list, or none to use Trunkline's"
    )


def test_every_fault_is_told_with_its_place() -> None:
    """The setting, the file, the key, what is expected and what stood there."""
    text = (
        'source = 5\nmodel = "x"\n'
        '[models.m]\ntext_in = -1\naudio_in = "dear"\ntext_out = 0.0000001\n'
        "[carrier]\ninbound = inf\noutbound = 1\nstep_s = 0\n"
    )
    price = "a number from 0, with at most 6 decimals"
    assert sorted(faults(text)) == sorted(
        f"TRUNKLINE_PRICES: mine.toml: {line}"
        for line in (
            "as_of: expected the day the prices are of, such as 2026-11-22",
            "source: expected text: where the prices are from, not 5",
            "model: no such key",
            f"models.m.text_in: expected USD for a million tokens: {price}, not -1",
            f"models.m.audio_in: expected USD for a million tokens: {price}, not 'dear'",
            f"models.m.text_out: expected USD for a million tokens: {price}, not Decimal('1E-7')",
            f"carrier.inbound: expected USD a minute: {price}, not Decimal('Infinity')",
            f"carrier.stream: expected USD a minute: {price}",
            "carrier.step_s: expected seconds: a whole number from 1 to 3600, not 0",
        )
    )


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"\xff", "expected text in UTF-8"),
        (b"a = ", "expected TOML: Invalid value (at end of document)"),
        (b"#" * (FILE_BYTES_MAX + 1), f"longer than {FILE_BYTES_MAX} bytes"),
        (HEAD.encode() + b"models = 5", "models: expected a table of models, not 5"),
        (HEAD.encode() + b"models.m = 5", "models.m: expected a table of prices, not 5"),
    ],
)
def test_what_is_no_price_list(content: bytes, line: str) -> None:
    """One line says so."""
    assert faults(content) == [f"TRUNKLINE_PRICES: mine.toml: {line}"]


@given(st.decimals(0, 1000, places=6))
def test_a_price_is_read_exactly(price: Decimal) -> None:
    """To the last of its decimals."""
    mine = prices.read(f"{HEAD}[models.m]\ntext_in = {price:f}\n".encode(), MINE)
    assert Decimal(mine.models["m"][Kind.TEXT_IN]) == price * 1_000_000
