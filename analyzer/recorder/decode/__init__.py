"""Turns the bytes of sends into HTTP requests. Drops every secret."""
