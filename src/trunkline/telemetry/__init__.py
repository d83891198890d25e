"""Names of logs and metrics, and their writers. No phone number and no word spoken goes here.

    metrics   what a process counts, and what a scrape gets
    declared  every metric: its name, meaning, unit, labels and bounds
    series    counters, gauges and histograms of plain numbers
    labels    the closed sets of label values
    logs      one JSON line an event, bounded, without personal data
    names     the names of log lines
    fields    the fields a log line may have
    scrub     masks what looks like a number, an address or a secret
    pace      how many lines of one name may be written

Imports `core.ids`.
"""
