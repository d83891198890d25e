"""The load test: many simulated calls to one webhook, and a report that people can trust.

plan        how much is called, and when                      pure
callers     who calls: scripts of speech, pauses, barge-ins   pure
timeline    what goes wrong, and when                         pure
figures     one call's report in the test's time              pure
spread      percentiles, also of what is only counted         pure
totals      all calls together                                pure
verdict     promises kept, broken, or not proven              pure
knee        which load to try next; capacity for the settings pure
report      the whole report as a record and a file           pure
table       the report in a terminal                          pure
page, plots, svg   the report as one HTML page                pure
podmetrics  what the pod tells of itself
place       calls are made and counted
ends        the far ends: a carrier, a model, a pod of our own
run         the command from start to end
"""
