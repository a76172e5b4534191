"""What is asked of a store or of experiments, and its answers as records: limits, profiles, contours."""
