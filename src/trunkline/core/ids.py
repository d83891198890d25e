"""Names of things, each a type of its own so that none is taken for another."""

from typing import NewType

CallSid = NewType("CallSid", str)
"""Twilio's name of a call leg (`CA` + 32 hex): the same over streams, sessions and pods."""

StreamSid = NewType("StreamSid", str)
"""Twilio's name of one stream (`MZ` + 32 hex)."""

PodName = NewType("PodName", str)
"""A pod's name: the path `/pods/POD/…` and the journal name it by this."""

Incarnation = NewType("Incarnation", str)
"""One life of a pod: a pod that starts again under its name is another incarnation."""

Epoch = NewType("Epoch", int)
"""Who owns a call: the higher epoch wins. Never below Redis time in ms when it was given; 0 was
never given, and loses to any."""
