"""Measured passes beside estimates, and how far they are apart."""
