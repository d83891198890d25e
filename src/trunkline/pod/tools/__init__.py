"""Running an agent's tools, and the context hook.

    specs     what a tool is: where it is reached, its deadline, its bounds
    run       one tool to its end: a result in every case, never an exception
    http      tools behind HTTP
    python    tools that are functions: `module:function`
    hook      variables for a call, asked for at its webhook
    client    the one HTTP client of both, and the signature on what it sends
    text      what a tool said, fit for the model and the call log

What users run is foreign: it gets a deadline and a bounded answer, and what goes wrong is told to
the model in words of ours.
"""
