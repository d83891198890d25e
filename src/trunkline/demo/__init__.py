"""`trunkline demo`: a pod as a child process, both far ends simulated here, a live table.

Imports `sim`, `core`, `wire`; talks to the pod only over its two ports.
"""
