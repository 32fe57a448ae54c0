"""A fleet's logs, made up: real lines of the real sink, in the proportions of real hosts."""
