"""Runs as pages: a local web application over run directories, and reports in one file each."""
