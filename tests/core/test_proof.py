from hypothesis import given
from hypothesis import strategies as st

from trunkline.core.ids import Incarnation, PodName
from trunkline.core.proof import Proof, answer, judge

KEY, NONCE = b"0123456789abcdef", "0a" * 16
POD, LIFE = PodName("pod-0"), Incarnation("a1b2")


def test_a_pod_proves_its_key_and_itself() -> None:
    """To who knows both; to who knows of no pod, its key."""
    told = answer(KEY, POD, LIFE, NONCE)
    assert judge(KEY, NONCE, told, POD, LIFE) is Proof.THIS_POD
    assert judge(KEY, NONCE, told, None, None) is Proof.OUR_KEY


def test_another_pod_or_another_life_is_told_apart() -> None:
    """It has our key, and is not the one that runs here."""
    told = answer(KEY, POD, LIFE, NONCE)
    assert judge(KEY, NONCE, told, "pod-1", LIFE) is Proof.OUR_KEY
    assert judge(KEY, NONCE, told, POD, "c3d4") is Proof.OUR_KEY


def test_another_key_and_another_nonce_prove_nothing() -> None:
    """An answer of yesterday's does not do."""
    told = answer(KEY, POD, LIFE, NONCE)
    assert judge(b"another", NONCE, told, POD, LIFE) is Proof.OTHER_KEY
    assert judge(KEY, "0b" * 16, told, POD, LIFE) is Proof.OTHER_KEY


@given(st.one_of(st.none(), st.text()))
def test_whatever_a_stranger_says_is_no_proof(told: str | None) -> None:
    """And raises nothing."""
    assert judge(KEY, NONCE, told, POD, LIFE) is Proof.NONE


@given(st.text())
def test_only_a_nonce_is_answered(asked: str) -> None:
    """So nobody chooses the text that is signed."""
    told = answer(KEY, POD, LIFE, asked)
    assert (told is not None) == (len(asked) == 32 and set(asked) <= set("0123456789abcdef"))
