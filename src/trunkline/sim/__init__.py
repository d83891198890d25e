"""The other ends: simulators of the carrier and of the realtime model, stricter than the real ones.

    carrier    Twilio: webhooks, TwiML, streams, play queue and marks, Calls API
    realtime   the model: strict on every event, hears by voice detection on audio time
    caller     who is on the line: a script of speech, pauses, interruptions and keys
    speech     recorded words (espeak-ng): to speak sentences, and to hear which were spoken
    serve      their socket shells

Machines over `wire`, with `core`; the shells in `serve` are the only asyncio here.
"""
