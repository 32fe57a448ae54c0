"""Real container runtimes: the image, and containers that call the lab's IMDS."""
