"""What is decided, in plain synchronous code: pure functions and small machines.

    ids        CallSid, StreamSid, PodName, Epoch …
    facts      what can happen in a call, as it is written down
    record     the chain of a call's facts: sequence, digests, hashes
    verify     whether a call's record is whole
    carrier    what the carrier tells outside the chain
    kinds      kinds of personal data, by name
    personal   card numbers and the like, found in what people say
    redaction  facts without them
    retention  how long a call's words are kept
    tickets    signed tickets and resume tokens
    slots      the right to carry one call on this pod
    pool       warm sessions to the realtime model

Imports nothing of ours but `errors`; no asyncio, clock, randomness, environment or log.
"""
