"""Devices as data, and what a network would take on one of them."""
