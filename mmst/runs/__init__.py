"""The run directory: atomic stages with manifests, tables, seeds, figures."""
