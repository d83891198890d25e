"""Trunkline answers and places phone calls with speech-to-speech models, hundreds at once."""
