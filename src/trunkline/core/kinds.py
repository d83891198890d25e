"""Kinds of personal data that can be taken out of facts, by the names that the config file uses.

Apart from `personal`, which finds them, so that whoever reads settings loads no checksums.
"""

from typing import Final, Literal, get_args

Kind = Literal["card", "ssn", "iban", "email", "phone", "digits"]
KINDS: Final[frozenset[Kind]] = frozenset(get_args(Kind))

DEFAULT_KINDS: Final[frozenset[Kind]] = frozenset({"card", "ssn"})
"""What is taken out where the config file says nothing."""
