"""Ships the files that keep IMDSv1 off in an account, and says what none of them stops."""
