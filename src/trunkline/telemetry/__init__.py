"""Names of logs and metrics, and their writers. No phone number and no word spoken goes here.

    metrics   every metric, its labels and its unit
    logs      one JSON line an event, bounded, without personal data

Imports `core.ids`.
"""
