"""The seeded world: pods, carrier, model and stores in one process on a clock that jumps.

    clock      the loop whose time jumps, and the places where code runs: frozen, killed
    wires      pipes that keep their order, and questions from one place to another
    stores     the memory twins behind a way that takes time, and that may be gone
    model      the simulated model's machine, over its codec
    media      a pod's end of a stream
    carrier    the simulated carrier's calls, the ingress, the API
    scene      the line that is called, its agent and its callers
    pods       one life of a pod: its real machines
    weather    what goes wrong, from the seed
    weather    what goes wrong, and when, from the seed
    storm      the weather in act
    promises   what must hold, looked at after each step
    run        one world from its first second to its rest

It is a test of the product that ships with it: `trunkline sim world`. docs/explain/world.md
explains it. Only `cli` knows it.
"""
