"""The bare relay: picows on both sides, payloads spliced from text to text, no parse, no logic."""

import asyncio
import ssl
import sys
from typing import ClassVar

import picows
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport

HEAD, TAIL = b'{"type":"input_audio_buffer.append","audio":"', b'"}'
SESSION = (
    b'{"type":"session.update","session":{"type":"realtime","instructions":"Be short.","audio":{'
    b'"input":{"format":{"type":"audio/pcmu"},"turn_detection":{"type":"server_vad"}},'
    b'"output":{"format":{"type":"audio/pcmu"}}}}}'
)
GREET = b'{"type":"response.create"}'


class Stream(WSListener):
    """Twilio's side; the model's is opened when it starts."""

    started: ClassVar["asyncio.Queue[Stream]"]
    model: WSTransport | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.carrier = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        text = frame.get_payload_as_bytes()
        if self.model is not None and (at := text.find(b'"payload":"')) >= 0:
            self.model.send(WSMsgType.TEXT, HEAD + text[at + 11 : text.index(b'"', at + 11)] + TAIL)
        elif b'"event":"start"' in text:
            sid = text.split(b'"streamSid":"')[1].split(b'"')[0]
            self.media = b'{"event":"media","streamSid":"' + sid + b'","media":{"payload":"'
            self.clear = b'{"event":"clear","streamSid":"' + sid + b'"}'
            self.started.put_nowait(self)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if self.model is not None:
            self.model.disconnect()


class Session(WSListener):
    """The model's side of one stream."""

    stream: Stream

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        text, stream = frame.get_payload_as_bytes(), self.stream
        if b'"response.output_audio.delta"' in text:
            at = text.index(b'"delta":"') + 9
            payload = text[at : text.index(b'"', at)]
            stream.carrier.send(WSMsgType.TEXT, stream.media + payload + b'"}}')
        elif b"buffer.speech_started" in text:
            stream.carrier.send(WSMsgType.TEXT, stream.clear)


async def main(port: str, url: str, key: str, ca_file: str | None = None) -> None:
    """Serve until the process is ended. The arguments are the command line's."""
    Stream.started = asyncio.Queue()
    trust = ssl.create_default_context(cafile=ca_file) if ca_file else None
    headers = {"Authorization": f"Bearer {key}"}
    await picows.ws_create_server(lambda _: Stream(), "127.0.0.1", int(port))
    while True:
        session = Session()
        session.stream = await Stream.started.get()
        model, _ = await picows.ws_connect(
            lambda it=session: it, url, ssl_context=trust, extra_headers=headers
        )
        for text in (SESSION, GREET):
            model.send(WSMsgType.TEXT, text)
        session.stream.model = model


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
