"""Records calls to IMDS: captures, parses, classifies, attributes and writes them."""
