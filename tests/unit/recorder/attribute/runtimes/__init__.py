"""The files of container runtimes, as real ones wrote them or as their sources say."""
