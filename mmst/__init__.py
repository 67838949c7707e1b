"""mmst: self-training loops for language models."""
