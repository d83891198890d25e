"""Servers from wheels, living and dying with the process that starts them: stores and an ingress.

    stores     Embedded: starts and stops the two servers of one data folder
    ingress    Traefik before several pods: its arguments, and the file of its routes
    routes     what that file says
    kept       a program that is started again when it ends
    programs   where the wheels' programs are (the wheels' own launchers are never imported)
    places     whom the servers run as, which folders they may use, where their sockets lie
    lock       the data folder's lock, which lives as long as the last server

Linux only: elsewhere the stores' URLs must be given, and there is one pod.
"""
