"""What is shipped, installed for real below a directory; needs root and the package index."""
