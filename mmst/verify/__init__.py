"""Verification: reading answers out of text, comparing them, solving equations, running programs in a sandbox."""
