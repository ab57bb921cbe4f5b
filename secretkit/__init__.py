"""Versioned secrets for containers."""
