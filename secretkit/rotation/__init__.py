"""Rotation: plan (pure), journal, apply, verify, and what happens on failure."""
