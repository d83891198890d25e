"""The command line: parses arguments, reads settings, hands over to a compose.

Imports composes, `sim`, `demo`, `config`, and nothing that decides.
"""
