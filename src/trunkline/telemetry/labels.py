"""The closed sets of label values. A word that is in none of them is counted as `other`.

Where a set mirrors an enumeration of another room, a test compares the two.
"""

from typing import Final

CALL_STATES: Final = ("carried", "held")
"""The pod's own calls, and its share of the callers who hold for a slot anywhere."""

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

OVERFLOW_REASONS: Final = (
    "cap",
    "draining",
    "model_full",
    "vertical_full",
    "tenant_full",
    "outbound_full",
    "no_pod",
    "inbound_kept",
    "older_holders",
    "journal_away",
)
"""`core.slots.FullReason`, and a journal that did not answer at a call's first webhook."""

RESUME_CAUSES: Final = ("pod_lost", "stream_lost", "migrated")
"""`core.facts.ResumeCause`; a stream that came back to its pod and session is `stream_lost` too."""

DEAD_AIR_CAUSES: Final = ("answer", "turn", "resume", "session")
"""`call.state.Owed`."""

SESSION_STATES: Final = ("opening", "idle", "lent", "closing")
"""`core.pool_states.State`, without those that are gone."""

SESSION_SOURCES: Final = ("pool", "new")

MODEL_FAILURES: Final = (
    "account_deactivated",
    "backlog",
    "beta_api_shape_disabled",
    "breaker_open",
    "billing_hard_limit_reached",
    "closed",
    "content_filter",
    "conversation_already_has_active_response",
    "going_away",
    "inference_rate_limit_exceeded",
    "insufficient_quota",
    "internal_error",
    "invalid_api_key",
    "invalid_value",
    "item_retrieve_invalid_item_id",
    "max_output_tokens",
    "message_too_big",
    "missing_required_parameter",
    "model_error",
    "model_load_error",
    "model_not_found",
    "pool_busy",
    "pool_closing",
    "pool_full",
    "pool_timeout",
    "protocol",
    "rate_limit_exceeded",
    "rate_limited",
    "refused",
    "refused_messages",
    "response_failed",
    "server_error",
    "service_restart",
    "session_expired",
    "session_limit_reached",
    "session_refused",
    "stalled",
    "string_above_max_length",
    "timeout",
    "try_again_later",
    "unknown_parameter",
    "unreachable",
    "unread",
)
"""`adapters.realtime_reasons.REASONS`, the codes that `call.faults` knows, the pool's refusals."""

TOKEN_KINDS: Final = (
    "text_in",
    "text_cached",
    "audio_in",
    "audio_cached",
    "image_in",
    "image_cached",
    "text_out",
    "audio_out",
)
"""`core.costs.Kind`."""

COST_PARTS: Final = (*(f"model_{kind}" for kind in TOKEN_KINDS), "carrier")
"""`core.costs.part_of` each kind, and `CARRIER`."""

AUDIO_DIRECTIONS: Final = ("to_model", "to_caller")

UNEXPECTED: Final = (
    "audio_of_closed_item",
    "call_again",
    "early_event",
    "foreign_mark",
    "foreign_stream",
    "incomplete_call",
    "model_opened",
    "no_session",
    "output_item",
    "response_done",
    "same_stream",
    "session_created",
    "start_again",
    "stream_lost",
    "tool_returned",
    "unknown_event",
    "unknown_key",
    "unknown_message",
)
"""What the call's machine finds out of its moment."""

SIDES: Final = ("caller", "model")

ASIDE_REASONS: Final = ("contradicts", "fenced", "nul", "too_big")
"""`ports.Why`."""

WEBHOOK_REFUSALS: Final = (
    "no_signature",
    "bad_signature",
    "malformed",
    "incomplete",
    "too_big",
    "slow",
    "number",
    "bad_token",
    "neighbour",
    "path",
    "gone",
    "crowded",
)
"""What `pod.http` and the desk refuse."""

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
    "full",
    "draining",
    "store_away",
    "late",
)
"""`pod.media_words.Refusal`."""

CARRIER_MESSAGE_REFUSALS: Final = (
    "code_31950",
    "code_31951",
    "frame",
    "binary",
    "continuation",
    "message_too_big",
    "backlog",
    "silence",
    "refused_messages",
    "unknown",
)

MODEL_MESSAGE_REFUSALS: Final = ("protocol", "message_too_big", "binary", "unknown")

TOOL_KINDS: Final = ("http", "python", "end_call", "transfer_call", "handoff", "send_digits")
"""`call.plan.ToolKind`."""

TOOL_OUTCOMES: Final = ("ok", "failed", "timeout", "cancelled", "bad_arguments", "too_big")

HOOK_FAILURES: Final = ("timeout", "unreachable", "status", "malformed", "too_big")
