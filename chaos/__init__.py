"""Real processes, real faults: what callers hear of them (docs/explain/chaos.md).

    python -m chaos --calls 60

plan      which fault strikes when                                pure
stage     pods, ingress, stores, a carrier and a model: who is which process
strikes   what each fault does
run       calls on the stage, struck; then the record is verified
report    what came of each fault, in a terminal, as JSON, as a page
"""
