"""Reservations over several locations: one home decides, participants hold parts and follow. Pure functions."""
