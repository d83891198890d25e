from typing import Annotated, Any

import pytest
from pydantic import SecretStr, TypeAdapter, ValidationError

from trunkline.config.setting_kinds import ACCOUNT_SID, POD_NAME, Secret, secret_url, whole


@pytest.mark.parametrize(
    ("kind", "text", "fits"),
    [
        (Annotated[str, whole(POD_NAME)], "pod-0", True),
        (Annotated[str, whole(POD_NAME)], "pod-0\n", False),
        (Annotated[str, whole(POD_NAME)], "-pod", False),
        (Annotated[str, whole(ACCOUNT_SID)], "AC" + "0" * 32, True),
        (Annotated[str, whole(ACCOUNT_SID)], "AC" + "0" * 33, False),
        (Secret, "a-key", True),
        (Secret, "a key", False),
        (Secret, "a-key\r\nX-More: 1", False),
        (Annotated[SecretStr, secret_url("redis")], "redis://store/0", True),
        (Annotated[SecretStr, secret_url("redis")], "http://store/0", False),
    ],
)
def test_a_value_fits_from_end_to_end_or_not_at_all(kind: Any, text: str, *, fits: bool) -> None:
    """Nothing behind what was meant: it would go into a header, a path or a host's name."""
    adapter = TypeAdapter[Any](kind)
    if fits:
        adapter.validate_python(text)
    else:
        with pytest.raises(ValidationError):
            adapter.validate_python(text)
