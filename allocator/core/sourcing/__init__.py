"""Sourcing: which locations serve an order. Pure functions over numpy columns."""
