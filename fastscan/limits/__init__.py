"""Limits: events and chi2 at points, crossings of a threshold, limits and intervals, expected limits, toys, samplers."""
