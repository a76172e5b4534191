"""Interactions of neutrinos: the Standard Model and new interactions, as polynomials in one strength."""
