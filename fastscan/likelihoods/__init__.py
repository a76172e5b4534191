"""Experiments and interactions become expected counts, and counts become chi2."""
