"""Limits: events and chi2 at points, crossings of a threshold, limits, intervals, expected limits, toys, samplers."""
