"""Stage 2, first half: the bytes of sends become HTTP requests. Secrets die here."""
