"""Who may come in: organizations, users, their logins and API tokens."""
