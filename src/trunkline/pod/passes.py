"""What a call's documents carry: the ticket of its next stream, and the token behind it."""

from typing import Final
from urllib.parse import quote, urlsplit

from trunkline.core import tickets
from trunkline.core.ids import CallSid, Epoch, Incarnation, PodName
from trunkline.core.tickets import ResumeToken, Ticket
from trunkline.pod import documents

ANY_POD: Final = "/media"
"""The path of streams that may come to any pod: their tickets name none."""


def media_path(pod: PodName) -> str:
    """The path of a pod's streams on the public port; of any pod's without a name."""
    return f"/pods/{quote(pod)}/media" if pod else ANY_POD


def media_url(public_url: str, pod: PodName) -> str:
    """The WebSocket URL of a pod's streams; of any pod's without a name."""
    parts = urlsplit(public_url)
    scheme = "wss" if parts.scheme == "https" else "ws"
    return f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}{media_path(pod)}"


class Passes:
    """Signs them, for any pod: all have one key."""

    def __init__(self, public_url: str, key: bytes, *, pinned: bool = True) -> None:
        """Streams go to the pod in their path if they are `pinned`, else to any."""
        self._public_url = public_url
        self._key = key
        self._pinned = pinned

    def stream(
        self,
        call: CallSid,
        epoch: Epoch,
        pod: PodName,
        incarnation: Incarnation,
        opened_at_ms: int,
    ) -> str:
        """The document with a stream to this life of a pod: the same for each repetition.

        `opened_at_ms` is when the epoch began, by Redis time: the ticket is issued then.
        """
        if not self._pinned:
            pod, incarnation = PodName(""), Incarnation("")
        ticket = Ticket(call, epoch, pod, incarnation, opened_at_ms)
        return documents.stream(
            url=media_url(self._public_url, pod),
            status_callback=self._url("/twilio/stream-status"),
            ticket=tickets.sign(ticket, self._key),
            resume_url=self.resume_url(ResumeToken(call, epoch, pod, incarnation)),
        )

    def resume_url(self, token: ResumeToken) -> str:
        """The address at which a call goes on that had this epoch."""
        return self.again_url(tickets.sign(token, self._key))

    def again_url(self, token: str) -> str:
        """The same, of a token that came."""
        return self._url(f"/twilio/resume/{token}")

    def voice_url(self) -> str:
        """The address at which a call that has no stream yet comes again."""
        return self._url("/twilio/voice")

    def read(self, token: str, call: str) -> ResumeToken | None:
        """The token, if it is ours and this call's."""
        found = tickets.read_resume_token(token, self._key)
        return found if isinstance(found, ResumeToken) and found.call == call else None

    def _url(self, path: str) -> str:
        return self._public_url.rstrip("/") + path
