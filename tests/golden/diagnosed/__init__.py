"""Callers as the log has them, each with what the report must and must not say of it."""
