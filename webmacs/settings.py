"""Every setting, read from the environment once. An unknown WEBMACS_* name is an error that names it."""

import json
import os
import re
import secrets
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from webmacs.providers import (
    CALLBACK,
    DEFAULT,
    USUAL_ALGORITHMS,
    Address,
    Algorithms,
    IdentityProvider,
    Listed,
    RedirectAddress,
    RoleMapping,
    RoleName,
    Scopes,
)

TEST_PREFIX = "WEBMACS_TEST_"
ELSEWHERE = frozenset({"WEBMACS_PASSWORD"})  # read by `webmacs users create`


class SettingsError(Exception):
    """The environment cannot be used; the message names the variable and what is wrong with it."""


def _setting(env: str, default: Any = ..., **rules: Any) -> Any:
    """Declare a field that is read from the variable `env`."""
    description = rules.pop("description")
    extra = {"env": env, "secret": rules.pop("secret", False)}
    return Field(default, description=description, json_schema_extra=extra, **rules)


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _psycopg(url: str) -> str:
    """Accept the usual spellings of a PostgreSQL address and name the one driver that we ship."""
    scheme, mark, rest = url.partition("://")
    if not mark:
        raise ValueError("must be a URL such as sqlite:///file.db or postgresql://user:password@host/name")
    base = scheme.partition("+")[0]
    if base in ("postgres", "postgresql"):
        return f"postgresql+psycopg://{rest}"
    if base != "sqlite":
        raise ValueError("must begin with sqlite:// or postgresql://")
    return url


def _site(url: str) -> str:
    """An address without a path: a path would be lost where only the site counts."""
    if url and not re.fullmatch(r"https?://[^/?#@\s]+/?", url):
        raise ValueError("must be an address such as https://lab.example, without a path")
    return url.rstrip("/")


def _listed(given: Any) -> Any:
    """A JSON array or a comma-separated list, as a list."""
    if not isinstance(given, str):
        return given
    if given.lstrip().startswith("["):
        try:
            return json.loads(given)
        except ValueError as broken:
            raise ValueError("must be a JSON array or a comma-separated list") from broken
    return [item.strip() for item in given.split(",") if item.strip()]


def _origin(given: str) -> str:
    """An origin as browsers write it."""
    if given == "*":
        raise ValueError("must name each origin: * would hand everybody's credentials to every site")
    parts = urlsplit(given.strip().rstrip("/").lower())
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query or "@" in parts.netloc:
        raise ValueError("must be origins such as https://lab.example or http://localhost:3000")
    usual = {"http": ":80", "https": ":443"}[parts.scheme]
    return f"{parts.scheme}://{parts.netloc.removesuffix(usual)}"


class Settings(BaseModel):
    """The whole configuration. Read it with `from_environment`; it never changes afterwards."""

    model_config = ConfigDict(frozen=True)

    host: str = _setting(
        "WEBMACS_HOST", "127.0.0.1", description="Address the server listens on; 0.0.0.0 for the whole network"
    )
    port: int = _setting("WEBMACS_PORT", 8000, ge=1, le=65535, description="Port the server listens on")
    data_dir: Annotated[Path, AfterValidator(_absolute)] = _setting(
        "WEBMACS_DATA_DIR", Path("data"), description="Everything that is written lives in this folder"
    )
    database_url: Annotated[str, AfterValidator(_psycopg)] = _setting(
        "DATABASE_URL",
        "",
        secret=True,
        description="SQLite or PostgreSQL; empty means SQLite in the data folder",
        validate_default=False,
    )
    redis_url: str | None = _setting(
        "REDIS_URL",
        None,
        secret=True,
        description="Redis or Valkey; empty means a private one that `webmacs up` starts",
    )
    secret_key: str = _setting(
        "SECRET_KEY",
        "",
        secret=True,
        description="Signs sessions and tokens, seals second factors; empty means one made at random and kept in the "
        "data folder",
    )
    initial_admin_email: str | None = _setting(
        "INITIAL_ADMIN_EMAIL", None, description="First administrator, made unattended: e-mail address"
    )
    initial_admin_username: str | None = _setting(
        "INITIAL_ADMIN_USERNAME", None, description="First administrator: name (default: admin)"
    )
    initial_admin_password: str | None = _setting(
        "INITIAL_ADMIN_PASSWORD", None, secret=True, description="First administrator: password, at least 8 characters"
    )
    demo: bool = _setting("WEBMACS_DEMO", False, description="1 adds the simulated plant on the first start")
    development: bool = _setting("WEBMACS_DEVELOPMENT", False, description="1 adds /dev/patterns and reloads templates")
    secure_cookies: bool = _setting(
        "WEBMACS_SECURE_COOKIES",
        False,
        description="1 when browsers reach WebMACS by https: Secure, __Host- cookies and HSTS",
    )
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], BeforeValidator(_listed)] = _setting(
        "WEBMACS_TRUSTED_PROXIES",
        (),
        description="Networks of the proxies whose X-Forwarded-For, -Proto and -Host are believed, comma-separated; "
        "empty means nobody",
    )
    cors_origins: Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], BeforeValidator(_listed)] = _setting(
        "CORS_ORIGINS",
        (),
        description="Origins of other sites whose pages may use the API, as a JSON array or comma-separated",
    )
    rate_limit_per_minute: int | None = _setting(
        "RATE_LIMIT_PER_MINUTE",
        None,
        ge=0,
        le=10_000_000,
        description="Requests a minute of one credential, and of one address without any; 0 means no limit; empty "
        "means 100000 of a credential and 300 of an address",
    )
    access_token_expire_minutes: int = _setting(
        "ACCESS_TOKEN_EXPIRE_MINUTES", 1440, ge=1, le=525600, description="Lifetime of a login in minutes"
    )
    refresh_token_expire_days: int = _setting(
        "REFRESH_TOKEN_EXPIRE_DAYS", 30, ge=1, le=365, description="Days within which an API client can renew its login"
    )
    max_body_bytes: int = _setting(
        "WEBMACS_MAX_BODY_BYTES",
        2_097_152,
        ge=65536,
        description="Largest request body in bytes; a larger one is answered with 413",
    )
    max_upload_bytes: int = _setting(
        "WEBMACS_MAX_UPLOAD_BYTES",
        268_435_456,
        ge=65536,
        description="Largest file in bytes that may be uploaded to be imported",
    )
    export_keep_hours: int = _setting(
        "WEBMACS_EXPORT_KEEP_HOURS", 72, ge=1, le=8760, description="Hours that the file of an export is kept"
    )
    max_bulk_bytes: int = _setting(
        "WEBMACS_MAX_BULK_BYTES",
        67_108_864,
        ge=65536,
        description="Largest body of POST /api/v1/datapoints/bulk in bytes",
    )
    oidc_enabled: bool = _setting("OIDC_ENABLED", False, description="1 offers single sign-on by OpenID Connect")
    oidc_provider_name: str = _setting(
        "OIDC_PROVIDER_NAME", "SSO", max_length=100, description="What the button of the sign-in calls the provider"
    )
    oidc_issuer_url: Address = _setting(
        "OIDC_ISSUER_URL", "", description="The provider's issuer; required for single sign-on"
    )
    oidc_client_id: str = _setting("OIDC_CLIENT_ID", "", description="Our id there; required for single sign-on")
    oidc_client_secret: str = _setting(
        "OIDC_CLIENT_SECRET", "", secret=True, description="Our secret there; empty for a public client"
    )
    oidc_scopes: Scopes = _setting(
        "OIDC_SCOPES", "openid email profile", description="What is asked for, with spaces between"
    )
    oidc_redirect_uri: RedirectAddress = _setting(
        "OIDC_REDIRECT_URI",
        "",
        description=f"Where the provider sends browsers back to; empty means {CALLBACK} at WEBMACS_PUBLIC_URL, else at "
        "host and port",
    )
    oidc_default_role: RoleName = _setting(
        "OIDC_DEFAULT_ROLE", "viewer", description="Role of those who come for the first time: viewer, operator, admin"
    )
    oidc_auto_create_users: bool = _setting(
        "OIDC_AUTO_CREATE_USERS", True, description="0 lets nobody in who has no account yet"
    )
    oidc_frontend_url: Address = _setting(
        "OIDC_FRONTEND_URL",
        "",
        description="Where browsers land with their code; empty means the first of CORS_ORIGINS, else this server",
    )
    oidc_organization: str = _setting(
        "OIDC_ORGANIZATION", "", description="Name of the organization of those who come first; empty means the first"
    )
    oidc_role_claim: str = _setting(
        "OIDC_ROLE_CLAIM", "", description="Claim that says the role, such as groups or realm_access.roles"
    )
    oidc_role_mapping: RoleMapping = _setting(
        "OIDC_ROLE_MAPPING", {}, description="JSON, value of that claim → role; applied at every sign-in"
    )
    oidc_allowed_algorithms: Algorithms = _setting(
        "OIDC_ALLOWED_ALGORITHMS", USUAL_ALGORITHMS, description="Signatures that tokens may have"
    )
    oidc_providers: Listed = _setting(
        "OIDC_PROVIDERS",
        (),
        secret=True,
        description="JSON list of more providers: each a key, and fields named like the variables OIDC_*",
    )
    log_level: str = _setting(
        "WEBMACS_LOG_LEVEL", "info", pattern="^(debug|info|warning|error)$", description="debug, info, warning or error"
    )
    public_url: Annotated[str, AfterValidator(_site)] = _setting(
        "WEBMACS_PUBLIC_URL",
        "",
        description="Address at which people reach WebMACS, for example https://lab.example; passkeys belong to it. "
        "Empty means whatever a request was sent to",
    )
    smtp_host: str = _setting(
        "SMTP_HOST", "", description="Mail server; empty means that no mails are sent and links are handed over instead"
    )
    smtp_port: int = _setting("SMTP_PORT", 587, ge=1, le=65535, description="Port of the mail server")
    smtp_security: str = _setting(
        "SMTP_SECURITY", "starttls", pattern="^(starttls|tls|none)$", description="starttls, tls (on port 465) or none"
    )
    smtp_username: str = _setting("SMTP_USERNAME", "", description="User name at the mail server; empty means none")
    smtp_password: str = _setting("SMTP_PASSWORD", "", secret=True, description="Password at the mail server")
    smtp_from: str = _setting(
        "SMTP_FROM",
        "",
        pattern=r"^$|^(.*<)?[^@\s<>]+@[^@\s<>]+>?$",
        description="Sender of mails; needed with SMTP_HOST",
    )
    server_url: str = _setting(
        "WEBMACS_SERVER_URL", "", description="Where the agent finds the server; empty means host and port above"
    )
    api_token: str | None = _setting(
        "WEBMACS_API_TOKEN",
        None,
        secret=True,
        description="The agent's API token; empty means the file agent.token in the data folder",
    )
    agent_setpoint_interval: float = _setting(
        "WEBMACS_AGENT_SETPOINT_INTERVAL",
        0.5,
        ge=0.1,
        le=60,
        description="Seconds between the agent's looks at set-points",
    )
    agent_sync_interval: float = _setting(
        "WEBMACS_AGENT_SYNC_INTERVAL",
        5.0,
        ge=0.5,
        le=600,
        description="Seconds between the agent's looks at plugin instances",
    )
    agent_safe_after: float = _setting(
        "WEBMACS_AGENT_SAFE_AFTER",
        30.0,
        ge=1,
        le=86400,
        description="Seconds without the server after which the agent applies safe values",
    )
    agent_buffer_limit: int = _setting(
        "WEBMACS_AGENT_BUFFER_LIMIT",
        1_000_000,
        ge=1000,
        description="Samples the agent keeps on disk while the server is away",
    )

    @classmethod
    def variables(cls) -> dict[str, str]:
        """The variable of each field, field name → variable."""
        return {name: _extra(name)["env"] for name in cls.model_fields}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings.

        Raises `SettingsError` for an unknown WEBMACS_* name and for a value that cannot be used.
        """
        variables = cls.variables()
        for name in environment:
            ours = name.startswith("WEBMACS_") and not name.startswith(TEST_PREFIX)
            if ours and name not in ELSEWHERE and name not in variables.values():
                raise SettingsError(f"unknown setting {name}; the known ones are listed in docs/reference/settings.md")
        values = {field: environment[env] for field, env in variables.items() if environment.get(env, "") != ""}
        try:
            settings = cls.model_validate(values)
        except ValidationError as refused:
            first = refused.errors()[0]
            within = "".join(f"{place}: " for place in first["loc"][1:])
            raise SettingsError(f"{variables[str(first['loc'][0])]}: {within}{first['msg']}") from None
        if settings.smtp_host and not (settings.smtp_from and settings.public_url):
            raise SettingsError("SMTP_HOST: mails are sent only with SMTP_FROM, and WEBMACS_PUBLIC_URL for their links")
        return settings.model_copy(update=settings._derived())

    def _derived(self) -> dict[str, Any]:
        data_dir = _absolute(self.data_dir)
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "") else self.host  # noqa: S104 - compared, not bound
        host = f"[{host}]" if ":" in host else host
        return {
            "data_dir": data_dir,
            "database_url": self.database_url or f"sqlite:///{data_dir / 'webmacs.db'}",
            "server_url": (self.server_url or f"http://{host}:{self.port}").rstrip("/"),
        }

    @property
    def identity_providers(self) -> tuple[IdentityProvider, ...]:
        """Every identity provider, each with its whole redirect address; the first is that of the plain variables."""
        fields = (name for name in IdentityProvider.model_fields if name != "key")
        plain = {name: getattr(self, f"oidc_{name}") for name in fields}
        host = "localhost" if self.host in ("0.0.0.0", "::", "") else self.host  # noqa: S104 - compared, not bound
        host = f"[{host}]" if ":" in host else host
        ours = self.public_url or f"{'https' if self.secure_cookies else 'http'}://{host}:{self.port}"
        default = IdentityProvider.model_construct(key=DEFAULT, **plain)
        back = default.redirect_uri or f"{ours}{CALLBACK}"
        others = (
            one.model_copy(update={"redirect_uri": one.redirect_uri or f"{back.partition('?')[0]}?provider={one.key}"})
            for one in self.oidc_providers
        )
        return default.model_copy(update={"redirect_uri": back}), *others

    @property
    def sso_landing(self) -> str:
        """Where browsers land with their one-time code, without a slash at the end."""
        elsewhere = (self.oidc_frontend_url, *self.cors_origins)
        if any(elsewhere):
            return next(filter(None, elsewhere))
        return self.identity_providers[0].redirect_uri.partition("/api/v1/")[0].rstrip("/")

    def with_secret_key(self) -> "Settings":
        """The same settings with a key to sign with: the given one, or the one kept in the data folder (made once)."""
        return (
            self
            if self.secret_key
            else self.model_copy(update={"secret_key": _kept_secret(self.data_dir / "secret.key")})
        )


def _extra(field: str) -> dict[str, Any]:
    extra = Settings.model_fields[field].json_schema_extra
    assert isinstance(extra, dict)  # noqa: S101 - every field is declared by _setting
    return dict(extra)


def _kept_secret(path: Path) -> str:
    """Read the secret at `path`, or make it: private and complete at once, also when two start together."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        write_private(path, secrets.token_hex(32), replace=False)
    key = path.read_text(encoding="ascii").strip()
    if len(key) < 32:
        raise SettingsError(
            f"{path.name} in the data folder is damaged; restore it, or delete it to sign everybody out"
        )
    return key


def write_private(path: Path, text: str, *, replace: bool = True) -> None:
    """Write `text` to a file that only the owner can read, atomically; keep an existing one unless `replace`."""
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        if replace:
            scratch.replace(path)
        else:
            os.link(scratch, path)
    except FileExistsError:
        pass
    finally:
        scratch.unlink(missing_ok=True)
