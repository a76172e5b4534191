"""The results of arXiv:2002.01482, computed anew beside the published ones: Table 3, the six figures, a report."""
