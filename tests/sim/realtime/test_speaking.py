import base64
import itertools
from collections.abc import Sequence

from trunkline.sim.realtime.brain import Call, Reply, Say
from trunkline.sim.realtime.conversation import Conversation
from trunkline.sim.realtime.ids import Ids
from trunkline.sim.realtime.record import SessionRecord
from trunkline.sim.realtime.speaking import Plan, Speaking
from trunkline.sim.speech import recorded
from trunkline.wire.realtime import server
from trunkline.wire.realtime.items import FunctionCall, Message, OutputAudio, OutputText
from trunkline.wire.realtime.responses import InputTokens, StatusDetails

SPEECH = recorded()
GREETING = "hello thank you for calling"


class Stage:
    """A response on a clock of its own."""

    def __init__(self, *parts: Say | Call, **plan: object) -> None:
        self.reply: Reply = parts or (Say(GREETING),)
        audio_of = {part.text: SPEECH.speak(part.text) for part in parts if isinstance(part, Say)}
        audio_of = audio_of or {GREETING: SPEECH.speak(GREETING)}
        self.record = SessionRecord("a", "gpt-realtime", 0.0)
        self.conversation = Conversation()
        made = Plan(self.reply, audio_of, **plan)  # type: ignore[arg-type]
        self.speaking = Speaking(made, Ids("a"), self.conversation, self.record, 0.0)
        self.events: list[server.ToClient] = []
        self.times: list[float] = []

    def play(self, until: float = 60.0) -> "Stage":
        while (due := self.speaking.deadline()) is not None and due <= until:
            for event in self.speaking.advance(due):
                self.events.append(event)
                self.times.append(due)
        return self

    def cancel(self, *, late_delta: bool) -> Sequence[server.ToClient]:
        came = self.speaking.cancel("turn_detected", 60.0, late_delta=late_delta)
        self.events += came
        return came

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.events]

    def audio(self) -> bytes:
        return b"".join(
            base64.b64decode(event.delta)
            for event in self.events
            if isinstance(event, server.AudioDelta)
        )

    def done(self) -> server.ResponseDone:
        last = self.events[-1]
        assert isinstance(last, server.ResponseDone)
        return last


def test_a_spoken_answer_in_its_order() -> None:
    """Section 7, from 7 to 11; `response.created` is its starter's business."""
    kinds = Stage().play().kinds()
    middle = [kind for kind in kinds if kind not in {"AudioDelta", "TranscriptDelta"}]
    assert middle == [
        *("OutputItemAdded", "ItemAdded", "ContentPartAdded"),
        *("AudioDone", "TranscriptDone", "ContentPartDone", "OutputItemDone", "ItemDone"),
        "ResponseDone",
    ]
    assert kinds[3] in {"AudioDelta", "TranscriptDelta"}
    assert kinds.count("AudioDelta") > 3


def test_every_byte_of_the_words_is_sent_once_and_recorded() -> None:
    """What left is what the record holds."""
    stage = Stage().play()
    assert SPEECH.hear(stage.audio()) == GREETING
    said = stage.record.said[0]
    assert said.audio == stage.audio()
    assert (said.text, said.status, said.audio_ms) == (GREETING, "completed", len(said.audio) // 8)
    entry = stage.conversation.last()
    assert entry is not None
    assert entry.audio_ms == said.audio_ms
    assert isinstance(entry.item, Message)
    assert entry.item.content == [OutputAudio(transcript=GREETING)]


def test_audio_comes_faster_than_real_time() -> None:
    """Check list, line 5: `speed` times, after the time to think."""
    stage = Stage(speed=4.0, delta_ms=200, think_s=0.5).play()
    assert stage.times[0] == 0.5
    deltas = [
        (at, e)
        for at, e in zip(stage.times, stage.events, strict=True)
        if isinstance(e, server.AudioDelta)
    ]
    gaps = [round(b[0] - a[0], 6) for a, b in itertools.pairwise(deltas)]
    assert set(gaps) == {0.05}
    assert all(len(base64.b64decode(e.delta)) == 1600 for _, e in deltas[:-1])
    played_s = len(stage.audio()) / 8000
    assert abs(stage.times[-1] - 0.5 - played_s / 4) < 1e-6


def test_a_late_tick_loses_nothing() -> None:
    """All that was due comes, in order."""
    stage = Stage()
    stage.events = stage.speaking.advance(100.0)
    assert stage.speaking.deadline() is None
    assert SPEECH.hear(stage.audio()) == GREETING
    assert stage.done().response.status == "completed"


def test_usage_counts_a_token_per_50_ms_spoken() -> None:
    """Check list, line 5; the context is the input."""
    stage = Stage(context=InputTokens(10, 20, 5)).play()
    usage = stage.done().response.usage
    assert usage is not None
    assert usage.output_token_details.audio_tokens == len(stage.audio()) // 8 // 50
    assert usage.input_tokens == 30
    assert usage.output_tokens == (
        usage.output_token_details.audio_tokens + usage.output_token_details.text_tokens
    )
    assert usage.total_tokens == 30 + usage.output_tokens


def test_a_cancelled_answer_closes_all_that_is_open() -> None:
    """The item is incomplete, its transcript is what was sent, the audio too."""
    stage = Stage().play(until=0.5)
    before = stage.audio()
    came = stage.cancel(late_delta=False)
    assert [type(event).__name__ for event in came] == [
        *("AudioDone", "TranscriptDone", "ContentPartDone", "OutputItemDone", "ItemDone"),
        "ResponseDone",
    ]
    response = stage.done().response
    assert response.status == "cancelled"
    assert response.status_details == StatusDetails("cancelled", "turn_detected")
    assert response.output[0].status == "incomplete"
    assert 0 < len(before) < len(SPEECH.speak(GREETING))
    assert stage.record.said[0].audio == before
    assert stage.speaking.deadline() is None


def test_one_late_delta_may_come_after_the_cancel() -> None:
    """Check list, line 6: audio that continues what was sent, counted and recorded."""
    stage = Stage().play(until=0.5)
    came = stage.cancel(late_delta=True)
    assert [type(event).__name__ for event in came][:2] == ["AudioDelta", "AudioDone"]
    assert SPEECH.speak(GREETING).startswith(stage.audio())
    assert stage.record.said[0].audio == stage.audio()


def test_an_answer_cancelled_before_its_first_item_is_empty() -> None:
    """No late delta then: there is no item it could be of."""
    stage = Stage().play(until=0.1)
    came = stage.cancel(late_delta=True)
    assert [type(event).__name__ for event in came] == ["ResponseDone"]
    assert stage.done().response.output == []


def test_a_function_call_comes_in_pieces() -> None:
    """Section 7, tool turn: the pieces are the arguments."""
    stage = Stage(Call("check_stock", '{"part": "seven"}')).play()
    deltas = [e.delta for e in stage.events if isinstance(e, server.ArgumentsDelta)]
    assert len(deltas) == 3
    assert "".join(deltas) == '{"part": "seven"}'
    done = next(e for e in stage.events if isinstance(e, server.ArgumentsDone))
    assert (done.name, done.arguments) == ("check_stock", '{"part": "seven"}')
    item = stage.done().response.output[0]
    assert isinstance(item, FunctionCall)
    assert (item.status, item.call_id) == ("completed", done.call_id)
    assert list(stage.record.calls) == [("check_stock", '{"part": "seven"}')]
    assert "AudioDelta" not in stage.kinds()


def test_cut_off_arguments_are_an_incomplete_item() -> None:
    """Check list, line 9: whoever runs such a call has not read its status."""
    stage = Stage(Call("check_stock", '{"part": "seven"}'), cut_arguments=True).play()
    item = stage.done().response.output[0]
    assert isinstance(item, FunctionCall)
    assert item.status == "incomplete"
    assert len(item.arguments) < len('{"part": "seven"}')
    assert stage.done().response.status == "incomplete"


def test_several_items_have_indices_of_their_own() -> None:
    """Check list, line 9: a preamble, a call, another sentence."""
    stage = Stage(Say("one moment please"), Call("t"), Say("thank you")).play()
    added = [e for e in stage.events if isinstance(e, server.OutputItemAdded)]
    assert [e.output_index for e in added] == [0, 1, 2]
    assert len({e.item.id for e in added}) == 3
    deltas = {e.item_id: e.output_index for e in stage.events if isinstance(e, server.AudioDelta)}
    assert sorted(deltas.values()) == [0, 2]


def test_a_failed_response_says_nothing() -> None:
    """Check list, line 9: no error event, no audio, no usage."""
    stage = Stage(fail="rate_limit_exceeded").play()
    assert stage.kinds() == ["ResponseDone"]
    response = stage.done().response
    assert (response.status, response.usage, response.output) == ("failed", None, [])
    details = response.status_details
    assert details is not None
    assert details.error is not None
    assert details.error.code == "rate_limit_exceeded"


def test_an_incomplete_response_stops_half_way() -> None:
    """The reason is said; one delta at least was sent."""
    for text in (GREETING, "a"):
        stage = Stage(Say(text), incomplete="content_filter").play()
        response = stage.done().response
        assert response.status == "incomplete"
        assert response.status_details == StatusDetails("incomplete", "content_filter")
        assert stage.audio()
    whole = len(SPEECH.speak(GREETING))
    assert 0 < len(Stage(incomplete="content_filter").play().audio()) < whole


def test_max_output_tokens_cuts_the_audio() -> None:
    """To the token: 12 of 50 ms are 600 ms."""
    stage = Stage(audio_ms_max=600).play()
    assert len(stage.audio()) == 600 * 8
    assert stage.done().response.status_details == StatusDetails("incomplete", "max_output_tokens")


def test_a_hanging_response_never_ends_by_itself() -> None:
    """Check list, line 9: but it can be cancelled."""
    stage = Stage(hang=True).play()
    assert stage.speaking.deadline() is None
    assert "ResponseDone" not in stage.kinds()
    assert stage.audio()
    stage.cancel(late_delta=False)
    assert stage.done().response.status == "cancelled"


def test_an_answer_in_text_mode_has_no_audio() -> None:
    """output_modalities ["text"]."""
    stage = Stage(Say("hello"), text_mode=True).play()
    assert "AudioDelta" not in stage.kinds()
    item = stage.done().response.output[0]
    assert isinstance(item, Message)
    assert item.content == [OutputText("hello")]
    assert [e.text for e in stage.events if isinstance(e, server.TextDone)] == ["hello"]


def test_a_response_outside_the_conversation_leaves_no_item() -> None:
    """Conversation "none"."""
    stage = Stage(in_conversation=False, metadata={"for": "summary"}).play()
    assert len(stage.conversation) == 0
    assert not {"ItemAdded", "ItemDone"} & set(stage.kinds())
    assert stage.done().response.conversation_id is None
    assert stage.done().response.metadata == {"for": "summary"}


def test_an_item_cut_while_it_streams_stays_cut() -> None:
    """Later deltas are no part of it, nor is its transcript."""
    stage = Stage().play(until=0.5)
    item_id = stage.record.said[0].item_id
    stage.conversation.truncate(item_id, 0, 100)
    stage.play()
    entry = stage.conversation.get(item_id)
    assert (entry.audio_ms, len(entry.audio)) == (100, 800)
    assert isinstance(entry.item, Message)
    assert entry.item.content == [OutputAudio()]
