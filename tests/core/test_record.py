import hashlib
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains import CALL, ENDED, OTHER_CALL, RECEIVED, SAID, WHOLE_CALL, chain
from trunkline.core.facts import CallerSaid, Fact
from trunkline.core.ids import CallSid, Epoch
from trunkline.core.record import GENESIS, SALT_BYTES, Entry, Head, after, chain_hash, link


def holds(call: CallSid, entries: list[Entry]) -> bool:
    """Whether a chain is whole, told from what remains when payloads and salts are erased."""
    head = Head()
    for entry in entries:
        told = chain_hash(
            call, head.hash, entry.seq, entry.kind, entry.at_ms, entry.epoch, entry.digest
        )
        if entry.seq != head.seq + 1 or entry.hash != told:
            return False
        head = after(entry)
    return True


def test_a_chain_begins_at_the_genesis_and_counts_from_one() -> None:
    """The first entry has sequence number 1 and hangs on 64 zeros."""
    first = chain(CALL, RECEIVED)[0]
    assert (first.seq, first.kind) == (1, "call_received")
    assert first.hash == chain_hash(
        CALL, GENESIS, 1, "call_received", first.at_ms, first.epoch, first.digest
    )


def test_the_hash_is_of_a_written_form_that_others_can_compute() -> None:
    """SHA-256 over compact JSON of seven parts: an auditor needs no code of ours."""
    text = f'["{GENESIS}","{CALL}",1,"caller_said",5,7,"{"d" * 64}"]'
    assert (
        chain_hash(CALL, GENESIS, 1, "caller_said", 5, 7, "d" * 64)
        == hashlib.sha256(text.encode()).hexdigest()
    )


def test_a_chain_holds_without_payloads_and_salts() -> None:
    """What a person said can be erased, and the chain still verifies."""
    entries = chain(CALL, *WHOLE_CALL)
    assert holds(CALL, [msgspec.structs.replace(e, payload="", salt="") for e in entries])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seq", 99),
        ("at_ms", 1),
        ("epoch", 1),
        ("kind", "digits_sent"),
        ("digest", "0" * 64),
        ("hash", "0" * 64),
    ],
)
@pytest.mark.parametrize("at", range(len(WHOLE_CALL)))
def test_a_changed_entry_breaks_the_chain(name: str, value: object, at: int) -> None:
    """No field but payload and salt can change unseen, in whichever entry."""
    entries = chain(CALL, *WHOLE_CALL)
    changed = msgspec.structs.replace(entries[at], **{name: value})
    assert holds(CALL, entries)
    assert not holds(CALL, [*entries[:at], changed, *entries[at + 1 :]])


@given(order=st.permutations(range(len(WHOLE_CALL))), length=st.integers(1, len(WHOLE_CALL)))
def test_only_the_entries_in_their_order_make_a_chain(order: list[int], length: int) -> None:
    """A missing, moved or doubled entry is seen; a beginning of a chain is a chain."""
    entries = chain(CALL, *WHOLE_CALL)
    picked = order[:length]
    assert holds(CALL, [entries[at] for at in picked]) == (picked == list(range(length)))


def test_an_entry_is_of_one_call() -> None:
    """A chain that is moved to another call does not verify."""
    assert not holds(OTHER_CALL, chain(CALL, *WHOLE_CALL))


def test_the_same_fact_twice_has_two_digests() -> None:
    """Salts keep short payloads, such as a digit pressed, from being guessed by their digest."""
    first, second = chain(CALL, SAID, SAID)
    assert first.payload == second.payload
    assert first.digest != second.digest


@given(text=st.text(), salt=st.binary(min_size=SALT_BYTES, max_size=SALT_BYTES))
def test_a_payload_is_the_fact_and_matches_its_digest(text: str, salt: bytes) -> None:
    """Whatever was said comes back as it was; the digest is SHA-256 of salt and payload."""
    fact = CallerSaid("item_1", text)
    entry = link(CALL, Head(), fact, at_ms=1, epoch=Epoch(1), salt=salt)
    assert msgspec.json.decode(entry.payload, type=Fact) == fact
    assert "\0" not in entry.payload
    assert (
        entry.digest
        == hashlib.sha256(bytes.fromhex(entry.salt) + entry.payload.encode()).hexdigest()
    )


def test_a_salt_of_another_length_is_our_mistake() -> None:
    """The digest's input is unambiguous only if every salt is as long."""
    with pytest.raises(AssertionError):
        link(CALL, Head(), ENDED, at_ms=1, epoch=Epoch(1), salt=b"short")


def test_an_entry_survives_its_journey() -> None:
    """The journal's JSON gives the same entry back."""
    for entry in chain(CALL, *WHOLE_CALL):
        assert msgspec.json.decode(msgspec.json.encode(entry), type=Entry) == entry


def test_every_fact_has_a_kind_of_its_own() -> None:
    """Kinds are the tags of the facts; two alike could not be told apart in the log."""
    kinds = [kind.__struct_config__.tag for kind in get_args(Fact)]
    assert len(set(kinds)) == len(kinds)
