"""What a likelihood says: events and chi2 at points, crossings of a threshold, limits and intervals."""
