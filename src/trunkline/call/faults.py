"""What a model's errors mean to a call, and their names for logs: a closed set of words."""

from typing import Final

ALREADY_ACTIVE: Final = "conversation_already_has_active_response"
"""Our wish for a response came while one was under way: it is kept."""

HARMLESS: Final = frozenset({"response_cancel_not_active", "input_audio_buffer_commit_empty"})
"""A race that the server won: nothing to do, nothing to say."""

_KNOWN: Final = frozenset(
    {
        ALREADY_ACTIVE,
        "account_deactivated",
        "beta_api_shape_disabled",
        "billing_hard_limit_reached",
        "content_filter",
        "inference_rate_limit_exceeded",
        "insufficient_quota",
        "invalid_api_key",
        "invalid_value",
        "item_retrieve_invalid_item_id",
        "max_output_tokens",
        "missing_required_parameter",
        "rate_limit_exceeded",
        "server_error",
        "session_expired",
        "string_above_max_length",
        "unknown_parameter",
    }
)

OTHER: Final = "other"


def named(*codes: str | None) -> str:
    """The first known code of these, else `other`: a peer's free text never names a metric."""
    return next((code for code in codes if code in _KNOWN), OTHER)
