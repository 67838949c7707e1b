"""The stages of a round, one file each: every stage reads files, calls the parts below, and writes files."""
