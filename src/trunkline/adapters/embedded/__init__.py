"""Valkey and PostgreSQL from wheels, living and dying with the process that starts them.

    stores     Embedded: starts and stops the two servers of one data folder
    programs   where the wheels' programs are (the wheels' own launchers are never imported)
    places     whom the servers run as, which folders they may use, where their sockets lie
    lock       the data folder's lock, which lives as long as the last server

Linux only: elsewhere the stores' URLs must be given.
"""
