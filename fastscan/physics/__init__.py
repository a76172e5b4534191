"""Physics: one short function for each quantity; nothing here depends on an experiment."""
