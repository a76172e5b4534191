"""Answers of stores and experiments to questions about limits, profiles, contours, experiments and fits, as records."""
