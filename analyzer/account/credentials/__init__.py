"""Says what was done with credentials that came by IMDSv1, and which callers fetched them."""
