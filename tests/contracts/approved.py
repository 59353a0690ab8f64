"""What somebody decided on purpose. A route that is in none of these gets the strict rule; a stale entry fails."""

# Whoever can reach the server may use these.
PUBLIC = {
    "GET /static/<path:filename>",
    "GET /health",
    "GET /health/ready",
    "GET /openapi.json",
    "GET /docs",
    "GET /redoc",
    "GET /login",
    "POST /login",
    "GET /login/second-factor",
    "POST /login/second-factor",
    "POST /login/second-factor/passkey",
    "GET /login/passkey",
    "POST /login/passkey",
    "POST /login/passkey/finish",
    "GET /claim",
    "POST /claim",
    "GET /invitation",
    "POST /invitation",
    "POST /invitation/join",
    "GET /forgot-password",
    "POST /forgot-password",
    "GET /reset-password",
    "POST /reset-password",
    "POST /api/v1/auth/login",
    "GET /api/v1/auth/sso/config",
    "GET /api/v1/auth/sso/authorize",
    "GET /api/v1/auth/sso/callback",
    "POST /api/v1/auth/sso/exchange",
    "POST /api/v1/auth/sso/backchannel-logout",
    "GET /sso-callback",
    "POST /api/v1/auth/refresh",
}

# Pages of something begun a moment ago; whoever has begun nothing is sent on.
UNDER_WAY = {"GET /login/second-factor", "GET /login/passkey", "GET /profile/second-factor/app"}

# Those of them that are steps of a way: on its own, one of them leads nowhere.
STEPS = {"GET /login", "GET /api/v1/auth/sso/authorize", "GET /api/v1/auth/sso/callback", "GET /sso-callback"}

# What everybody who is signed in may do to their own account, viewers included.
OWN_ACCOUNT = {
    "POST /logout",
    "POST /profile/name",
    "POST /profile/password",
    "POST /profile/confirm",
    "POST /profile/second-factor/app",
    "POST /profile/second-factor/app/confirm",
    "POST /profile/second-factor/app/remove",
    "POST /profile/second-factor/passkeys",
    "POST /profile/second-factor/passkeys/finish",
    "POST /profile/second-factor/passkeys/<public_id>/remove",
    "POST /profile/second-factor/codes",
    "POST /profile/sessions/<public_id>/end",
    "POST /profile/sessions/end-others",
    "POST /organizations/<public_id>/enter",
    "POST /profile/sso/link",
    "POST /profile/sso/<public_id>/unlink",
    "POST /sso/logout",
    "POST /invitation/accept",
    "POST /profile/tokens",
    "POST /profile/tokens/<public_id>/delete",
    "POST /api/v1/auth/logout",
    "POST /api/v1/organizations/<public_id>/enter",
    "POST /api/v1/tokens",
    "DELETE /api/v1/tokens/<public_id>",
}

# Files of what a viewer may see anyway; only one's own can be named.
OWN_FILES = {
    "POST /exports",
    "POST /exports/<public_id>/cancel",
    "POST /exports/<public_id>/delete",
    "POST /api/v1/exports",
    "PUT /api/v1/exports/<public_id>/cancel",
    "DELETE /api/v1/exports/<public_id>",
}

# Long questions that travel in a body and change nothing.
QUESTIONS = {"POST /api/v1/datapoints/series", "POST /api/v1/datapoints/aggregate"}

# The agent is an operator and must be able to do these.
AGENT = {
    "GET /api/v1/plugins",
    "POST /api/v1/datapoints/batch",
    "GET /api/v1/datapoints/latest",
    "PUT /api/v1/plugins/<public_id>/status",
    "POST /api/v1/logging",
}

# What costs more with more channels, because each is thinned on its own; statements at most.
DEARER = {"GET /experiments/<public_id>/figure.json": 30}

# What an Idempotency-Key cannot repeat: who signs in is nobody yet, the secret of a new token is kept nowhere, and a
# file of hundreds of megabytes is not compared.
UNREPEATABLE = {
    "POST /api/v1/auth/sso/exchange",
    "POST /api/v1/auth/sso/backchannel-logout",
    "POST /api/v1/auth/login",
    "POST /api/v1/auth/refresh",
    "POST /api/v1/auth/logout",
    "POST /api/v1/organizations/<public_id>/enter",
    "POST /api/v1/tokens",
    "POST /api/v1/invitations",
    "POST /api/v1/users/<public_id>/password-reset",
    "POST /api/v1/imports",
}
