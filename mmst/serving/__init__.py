"""Using one checkpoint outside of a run: evaluating it, solving with it."""
