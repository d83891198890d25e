"""What a call costs a pod, beside what it costs a bare relay, in one run: `make bench`.

`relay` is the bare relay; `targets` starts it and the pod; `measure` puts load on one of them and
takes the figures; `__main__` is the command. Run by hand: it wants two cores for itself.
"""
