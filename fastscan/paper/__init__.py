"""The results of arXiv:2002.01482 beside the published ones: Table 3, the six figures, a report."""
