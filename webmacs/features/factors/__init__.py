"""Second factors: authenticator apps, passkeys and recovery codes. It knows users by their id only."""
