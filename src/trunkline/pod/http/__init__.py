"""The HTTP side of a pod.

public      what Twilio asks: /twilio/… , signed, and nothing else
internal    what we ask: health, metrics, calls
listening   ports, had before anything is started
serving     two uvicorn servers in one loop, on sockets bound beforehand
"""
