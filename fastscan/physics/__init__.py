"""One short function for each physical quantity; nothing here knows an experiment."""
