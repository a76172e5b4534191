"""What scatters neutrinos: the Standard Model and what is added to it, as polynomials in one strength."""
