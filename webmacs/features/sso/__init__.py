"""Who comes in by an identity provider: linked identities, the logins that began there, and their end."""
