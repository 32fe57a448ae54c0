SELECT number, host FROM evidence ORDER BY number, host
