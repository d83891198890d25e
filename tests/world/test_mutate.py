"""Whether the seeds find what is broken on purpose; `make mutants` plays all of them."""

import pytest

from world.mutate import HERE, SRC, mutants, play


def test_every_mutant_is_a_patch_of_src() -> None:
    """Each of files that are there."""
    assert len(mutants()) >= 10
    for name in mutants():
        lines = (HERE / "mutants" / f"{name}.patch").read_text().splitlines()
        for file in (line.removeprefix("--- a/") for line in lines if line.startswith("--- a/")):
            assert (SRC.parent / file).exists(), name


@pytest.mark.parametrize("name", ["slot_never_released", "end_fact_skipped"])
def test_a_mutant_is_found(name: str) -> None:
    """By the first seed or the second."""
    assert play(name, range(1, 3)) is not None
