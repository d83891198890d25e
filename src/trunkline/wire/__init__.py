"""What is said on both wires: text to frozen messages and back.

    twilio      the messages of a Media Stream, both directions
    twiml       documents we answer webhooks with, and the simulator's reading of them
    webhooks    forms and signatures of Twilio's HTTP requests
    realtime    the OpenAI Realtime protocol (GA), both directions
    verbs       what TwiML is made of; `twiml_reading` reads it
    g711        µ-law: duration, silence, tones
    wav, pcm    clips of our own: their files, and speech made fit for a telephone

A codec is total (what it does not know is `Unknown`), strict in what it sends, raises only
the protocol error of its side, and knows no process. Imports nothing of ours but `errors`.
"""
