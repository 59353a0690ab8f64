"""Looking after people: the users of an organization, their sessions, and what the roles allow."""
