"""The names of log lines. They stay: people search and alert on them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class LogName(StrEnum):
    """What a line says has happened. `MEANINGS` says when."""

    POD_STARTED = "pod_started"
    POD_READY = "pod_ready"
    POD_STOPPED = "pod_stopped"
    PROCESS_BROKE = "process_broke"
    STORE_STARTED = "store_started"
    STORE_STOPPED = "store_stopped"
    SETTING_DOUBTFUL = "setting_doubtful"
    PRICES_READ = "prices_read"
    MODEL_UNPRICED = "model_unpriced"
    CONFIG_LOADED = "config_loaded"
    CONFIG_REFUSED = "config_refused"
    SELF_CHECK_FAILED = "self_check_failed"
    DRAIN_BEGAN = "drain_began"
    DRAIN_CUT = "drain_cut"
    LOOP_BLOCKED = "loop_blocked"

    CALL_RECEIVED = "call_received"
    CALL_OVERFLOWED = "call_overflowed"
    CALL_ENDED = "call_ended"
    CALL_BROKE = "call_broke"
    CALL_FENCED = "call_fenced"
    END_UNSETTLED = "end_unsettled"
    CALL_TAKEN = "call_taken"
    CALL_LOST = "call_lost"
    CALL_MOVED = "call_moved"
    CALL_RESCUED = "call_rescued"
    NUMBER_UNKNOWN = "number_unknown"
    WEBHOOK_REFUSED = "webhook_refused"
    HOOK_FAILED = "hook_failed"
    TOOL_FAILED = "tool_failed"

    STREAM_OPENED = "stream_opened"
    STREAM_REFUSED = "stream_refused"
    STREAM_LOST = "stream_lost"
    STREAM_ERROR = "stream_error"

    SESSION_OPENED = "session_opened"
    SESSION_LOST = "session_lost"
    SESSION_REFUSED = "session_refused"

    FLEET_AWAY = "fleet_away"
    POD_REPLACED = "pod_replaced"
    CHORE_BROKE = "chore_broke"
    JOURNAL_AWAY = "journal_away"
    CALL_LOG_AWAY = "call_log_away"
    FACT_REFUSED = "fact_refused"
    FACT_ASIDE = "fact_aside"
    CARRIER_FACT_REFUSED = "carrier_fact_refused"
    ORPHAN_CLOSED = "orphan_closed"
    CALLS_ERASED = "calls_erased"
    PURGE_FAILED = "purge_failed"

    PHASE = "phase"
    BARGE_IN = "barge_in"
    TURN_LATENCY = "turn_latency"
    FILLER = "filler"
    FALLBACK = "fallback"
    DEAD_AIR = "dead_air"
    MODEL_ERROR = "model_error"
    RESPONSE_FAILED = "response_failed"
    UNEXPECTED = "unexpected"
    TOKENS = "tokens"
    DROPPED = "dropped"
    GAP = "gap"
    TAKEN_OVER = "taken_over"
    NOTE = "note"

    LIBRARY = "library"
    SUPPRESSED = "suppressed"


MEANINGS: Final[Mapping[LogName, str]] = {
    LogName.POD_STARTED: "The process runs; its ports are open.",
    LogName.POD_READY: "The pod takes calls.",
    LogName.POD_STOPPED: "The pod ended in order.",
    LogName.PROCESS_BROKE: "An error that nobody caught: a bug. The process ends or goes on "
    "without what failed.",
    LogName.STORE_STARTED: "An embedded store was started.",
    LogName.STORE_STOPPED: "An embedded store was stopped, or is gone.",
    LogName.SETTING_DOUBTFUL: "A setting or the config file looks wrong and hinders nothing.",
    LogName.PRICES_READ: "The price list was read; `version` is its day.",
    LogName.MODEL_UNPRICED: "The price list has no prices for this model: what it costs is not "
    "counted, its tokens are (`model_tokens_unpriced_total`).",
    LogName.CONFIG_LOADED: "The config file was read; new calls get it.",
    LogName.CONFIG_REFUSED: "The config file is wrong; the last right one stays. `hint` is the "
    "first of `count` faults.",
    LogName.SELF_CHECK_FAILED: "The pod could not reach itself through the public URL.",
    LogName.DRAIN_BEGAN: "SIGTERM: no new calls, the present ones may end.",
    LogName.DRAIN_CUT: "The grace period is over; the calls that are left are ended.",
    LogName.LOOP_BLOCKED: "Our code held the event loop over its limit; `stack` says where.",
    LogName.CALL_RECEIVED: "A webhook brought a new call.",
    LogName.CALL_OVERFLOWED: "No slot: the caller got the number's overflow action; `reason` says "
    "which limit.",
    LogName.CALL_ENDED: "A call is over, with its outcome.",
    LogName.CALL_BROKE: "A bug ended one call; `where` says the place.",
    LogName.CALL_FENCED: "A later epoch owns the call: this pod writes no more for it.",
    LogName.CALL_TAKEN: "A call goes on here that another pod carried; `detail` names that pod.",
    LogName.CALL_LOST: "A later epoch of the call is another pod's: this one let go of it.",
    LogName.CALL_MOVED: "This pod drains: the call goes on at the pod that `detail` names.",
    LogName.CALL_RESCUED: "The redirect behind a lost stream did not come: the carrier was asked "
    "over its API to run it (`reason` asked), or the call was over, or why it could not be asked.",
    LogName.END_UNSETTLED: "A call ended and the journal had not said so in time.",
    LogName.NUMBER_UNKNOWN: "A call came to a number that the config file leads nowhere.",
    LogName.WEBHOOK_REFUSED: "A request to the public port was refused.",
    LogName.HOOK_FAILED: "The context hook gave no variables; the call goes on without.",
    LogName.TOOL_FAILED: "A tool failed; the model was told.",
    LogName.STREAM_OPENED: "A stream was given its call.",
    LogName.STREAM_REFUSED: "A media socket was closed without a call.",
    LogName.STREAM_LOST: "A stream's socket is gone and the carrier did not say stop.",
    LogName.STREAM_ERROR: "The carrier reports that a stream failed.",
    LogName.SESSION_OPENED: "A call got its session.",
    LogName.SESSION_LOST: "A call's session is gone.",
    LogName.SESSION_REFUSED: "No session could be opened.",
    LogName.FLEET_AWAY: "Redis did not answer a question about slots: this pod's own cap binds.",
    LogName.POD_REPLACED: "A later process has this pod's name: this one gets no calls any more.",
    LogName.CHORE_BROKE: "A bug ended what a pod does beside its calls (`detail` says what); it is "
    "begun again.",
    LogName.JOURNAL_AWAY: "Redis did not answer in time, or refused; facts wait.",
    LogName.CALL_LOG_AWAY: "Postgres did not answer in time, or refused; facts wait.",
    LogName.FACT_REFUSED: "A fact could not be kept; `reason` says why.",
    LogName.FACT_ASIDE: "The call log keeps a fact aside; `reason` says why. `contradicts` is an "
    "alarm: another fact stands in its place.",
    LogName.CARRIER_FACT_REFUSED: "What the carrier told of a call could not be kept; `reason` "
    "says why.",
    LogName.ORPHAN_CLOSED: "A call that nobody carries any more was closed, or its facts were "
    "brought into the call log.",
    LogName.CALLS_ERASED: "Words and numbers of `count` calls past their days were erased, out of "
    "`value` facts.",
    LogName.PURGE_FAILED: "The hourly purge did not come to its end; the next one goes on.",
    LogName.PHASE: "A call entered a phase.",
    LogName.BARGE_IN: "The caller spoke while audio was unplayed; `value` is what was heard, ms.",
    LogName.TURN_LATENCY: "Speech end to first audio of the answer; `value` in seconds.",
    LogName.FILLER: "A sound of our own bridged a silence.",
    LogName.FALLBACK: "No model could be had: the caller heard the fallback script.",
    LogName.DEAD_AIR: "A caller who was owed a sound heard none for 2 s.",
    LogName.MODEL_ERROR: "The model sent an error event.",
    LogName.RESPONSE_FAILED: "A response ended without success.",
    LogName.UNEXPECTED: "A message that the protocol allows and the moment did not; ignored.",
    LogName.TOKENS: "Tokens of a response; `detail` is the kind, `value` the number.",
    LogName.DROPPED: "Audio towards the `detail` was dropped; `value` is how much, in frames of "
    "20 ms.",
    LogName.GAP: "A call went on with a new stream; `value` is the gap, in seconds.",
    LogName.TAKEN_OVER: "A call that another pod had carried goes on here; `detail` says why.",
    LogName.NOTE: "A call noted something that has no name of its own here.",
    LogName.LIBRARY: "A library said something; `text` is its template, without values.",
    LogName.SUPPRESSED: "Lines of one name came too fast; `count` of them were not written.",
}
