"""Runs the escape suite: what is outside of the sandbox."""
