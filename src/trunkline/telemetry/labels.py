"""The closed sets of label values. A word that is in none of them is counted as `other`.

Where a set mirrors an enumeration of another room, a test compares the two.
"""

from typing import Final

CALL_STATES: Final = ("carried",)
"""Later also `held`: callers who wait for a slot anywhere."""

DIRECTIONS: Final = ("inbound", "outbound")

OUTCOMES: Final = (
    "caller_ended",
    "agent_ended",
    "transferred",
    "overflowed",
    "abandoned",
    "timed_out",
    "failed",
)
"""`core.facts.Outcome`."""

RESUME_CAUSES: Final = ("stream_lost",)

SESSION_STATES: Final = ("opening", "idle", "lent", "closing")
"""`core.pool_states.State`, without those that are gone."""

SESSION_SOURCES: Final = ("pool", "new")

MODEL_FAILURES: Final = (
    "refused",
    "timeout",
    "closed",
    "unreachable",
    "protocol",
    "refused_messages",
    "backlog",
    "busy",
    "invalid_api_key",
    "insufficient_quota",
    "account_deactivated",
    "billing_hard_limit_reached",
    "model_not_found",
    "rate_limit_exceeded",
    "session_expired",
    "server_error",
    "invalid_request_error",
    "content_filter",
    "max_output_tokens",
    "model_error",
    "response_failed",
)

TOKEN_KINDS: Final = (
    "input_text",
    "input_audio",
    "input_cached",
    "input",
    "output_text",
    "output_audio",
    "output",
)

SIDES: Final = ("caller", "model")

WEBHOOK_REFUSALS: Final = (
    "no_signature",
    "bad_signature",
    "malformed",
    "incomplete",
    "too_big",
    "slow",
    "number",
    "token",
)

STREAM_REFUSALS: Final = (
    "path",
    "signature",
    "crowded",
    "no_start",
    "protocol",
    "no_ticket",
    "forged_ticket",
    "expired_ticket",
    "foreign_ticket",
    "stale_ticket",
    "no_call",
)
"""`pod.media.Refusal`."""

CARRIER_MESSAGE_REFUSALS: Final = (
    "code_31950",
    "code_31951",
    "frame",
    "binary",
    "continuation",
    "message_too_big",
    "backlog",
    "refused_messages",
    "unknown",
)

MODEL_MESSAGE_REFUSALS: Final = ("protocol", "message_too_big", "binary", "unknown")

TOOL_KINDS: Final = ("http", "python", "end_call", "transfer_call", "handoff", "send_digits")
"""`call.plan.ToolKind`."""

TOOL_OUTCOMES: Final = ("ok", "failed", "timeout", "cancelled", "bad_arguments", "too_big")

HOOK_FAILURES: Final = ("timeout", "unreachable", "status", "malformed", "too_big")
