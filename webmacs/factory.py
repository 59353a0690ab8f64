"""Everything that exists: extensions, blueprints, the error table, resources, periodic jobs."""

from datetime import timedelta
from pathlib import Path

from flask import Flask
from flask_login import LoginManager
from redis import Redis

from webmacs import wiring
from webmacs.api import docs
from webmacs.core import capture, errors, logging, trail
from webmacs.core.db import db, engine_options
from webmacs.core.facts import reactions
from webmacs.core.jobs import Periodic
from webmacs.core.resources import Resource
from webmacs.features.accounts import api as accounts_api
from webmacs.features.accounts import jobs as account_jobs
from webmacs.features.accounts import operations as accounts
from webmacs.features.accounts import pages as accounts_pages
from webmacs.features.audit import api as audit_api
from webmacs.features.audit import operations as audit
from webmacs.features.audit import pages as audit_pages
from webmacs.features.control import pages as control_pages
from webmacs.features.dashboards import pages as dashboards_pages
from webmacs.features.datapoints import api as datapoints_api
from webmacs.features.datapoints import jobs as datapoint_jobs
from webmacs.features.datapoints import live as datapoints_live
from webmacs.features.events import api as events_api
from webmacs.features.events import pages as events_pages
from webmacs.features.experiments import api as experiments_api
from webmacs.features.experiments import pages as experiments_pages
from webmacs.features.exports import api as exports_api
from webmacs.features.exports import jobs as export_jobs
from webmacs.features.exports import pages as exports_pages
from webmacs.features.factors import pages as factors_pages
from webmacs.features.imports import api as imports_api
from webmacs.features.imports import jobs as import_jobs
from webmacs.features.imports import pages as imports_pages
from webmacs.features.invitations import api as invitations_api
from webmacs.features.invitations import jobs as invitation_jobs
from webmacs.features.invitations import operations as invitations
from webmacs.features.invitations import pages as invitations_pages
from webmacs.features.logs import api as logs_api
from webmacs.features.logs import pages as logs_pages
from webmacs.features.mails import jobs as mail_jobs
from webmacs.features.organizations import api as organizations_api
from webmacs.features.organizations import pages as organizations_pages
from webmacs.features.people import api as people_api
from webmacs.features.people import pages as people_pages
from webmacs.features.plugins import api as plugins_api
from webmacs.features.plugins import pages as plugins_pages
from webmacs.features.resets import jobs as reset_jobs
from webmacs.features.resets import operations as resets
from webmacs.features.resets import pages as resets_pages
from webmacs.features.retention import api as retention_api
from webmacs.features.retention import jobs as retention_jobs
from webmacs.features.retention import pages as retention_pages
from webmacs.features.signin import api as signin_api
from webmacs.features.signin import pages as signin_pages
from webmacs.features.sso import api as sso_api
from webmacs.features.sso import jobs as sso_jobs
from webmacs.features.sso import pages as sso_pages
from webmacs.features.system import api as system_api
from webmacs.features.tokens import api as tokens_api
from webmacs.features.tokens import operations as tokens
from webmacs.features.tokens import pages as tokens_pages
from webmacs.gateways import oidc
from webmacs.gateways.counters import Counters
from webmacs.gateways.mail import Mailer
from webmacs.gateways.onetime import OneTime
from webmacs.gateways.sealing import sealer
from webmacs.gateways.signing import notary, signer
from webmacs.ingest import bulk as datapoints_bulk
from webmacs.settings import Settings
from webmacs.web import cors, headers, limits, patterns, templating
from webmacs.web import errors as web_errors
from webmacs.web.arrival import Authenticators, Edge, csrf, load_browser
from webmacs.web.credentials import Credentials
from webmacs.web.pages import htmx
from webmacs.web.proxies import Proxies

ROOT = Path(__file__).resolve().parent.parent

# every edge; each hangs its routes on its feature's blueprint `bp`
EDGES = (
    accounts_pages,
    accounts_api,
    organizations_pages,
    organizations_api,
    tokens_pages,
    tokens_api,
    factors_pages,
    signin_pages,
    signin_api,
    audit_pages,
    audit_api,
    invitations_pages,
    invitations_api,
    resets_pages,
    people_pages,
    people_api,
    sso_pages,
    sso_api,
    logs_pages,
    logs_api,
    events_pages,
    events_api,
    datapoints_api,
    datapoints_bulk,
    datapoints_live,
    control_pages,
    experiments_pages,
    experiments_api,
    plugins_pages,
    plugins_api,
    dashboards_pages,
    exports_pages,
    exports_api,
    retention_pages,
    retention_api,
    imports_pages,
    imports_api,
    system_api,
    docs,
)

# refusal → status; the one place that knows both
ERRORS: dict[type[errors.Refusal], int] = {
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Invalid: 422,
    errors.BadRequest: 422,
    errors.TooMany: 429,
    errors.Rejected: 400,
    errors.Misconfigured: 500,
    errors.Upstream: 502,
    errors.Unavailable: 503,
}

_CHANNEL = {"name": "Inlet temperature", "type": "sensor", "unit": "°C", "min_value": 0.0, "max_value": 200.0}
_PERSON = {"email": "grace@lab.example", "username": "grace", "password": "long enough", "role": "operator"}
RESOURCES = (
    Resource(
        "user",
        "users",
        "/api/v1/users",
        "/users",
        sample=_PERSON,
        change={"username": "hopper", "role": "viewer"},
        unshown=frozenset({"password"}),
    ),
    Resource("event", "events", "/api/v1/events", "/channels", sample=_CHANNEL, change={"name": "Outlet temperature"}),
    Resource(
        "experiment",
        "experiments",
        "/api/v1/experiments",
        "/experiments",
        sample={"name": "Run 07"},
        change={"name": "Run 08"},
    ),
    Resource(
        "plugin instance",
        "plugins",
        "/api/v1/plugins",
        "/plugins",
        sample={"plugin_id": "simulated", "instance_name": "Bed A", "demo_mode": True},
        change={"instance_name": "Bed B"},
    ),
)

PERIODIC = (
    Periodic("tidy", account_jobs.tidy, timedelta(hours=1)),
    Periodic("sso", sso_jobs.tidy, timedelta(hours=1)),
    Periodic("partitions", datapoint_jobs.make_ahead, timedelta(hours=6)),
    Periodic("retention", retention_jobs.daily, timedelta(days=1)),
    Periodic("retention-runs", retention_jobs.sweep, timedelta(minutes=5)),
    Periodic("exports", export_jobs.sweep, timedelta(minutes=1)),
    Periodic("mails", mail_jobs.sweep, timedelta(minutes=1)),
    Periodic("invitations", invitation_jobs.tidy, timedelta(days=1)),
    Periodic("resets", reset_jobs.tidy, timedelta(days=1)),
    Periodic("imports", import_jobs.sweep, timedelta(minutes=1)),
)


# kind of a mail → who writes it
LETTERS: dict[str, mail_jobs.Writer] = {
    invitations.MAIL: invitation_jobs.letter,
    resets.MAIL: reset_jobs.letter,
    resets.NOTICE: reset_jobs.notice,
}


def create_app(settings: Settings | None = None) -> Flask:
    """The application: the environment's settings unless others are given."""
    settings = (settings or Settings.from_environment()).with_secret_key()
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    logging.configure(settings.log_level)
    app = Flask("webmacs", root_path=str(ROOT), template_folder="templates", static_folder="static")
    _configure(app, settings)
    _extend(app, settings)
    for blueprint in dict.fromkeys(edge.bp for edge in EDGES):
        app.register_blueprint(blueprint)
    if settings.development:
        app.register_blueprint(patterns.bp)
    headers.install(app)
    cors.install(app, settings.cors_origins)
    limits.install(app, settings.rate_limit_per_minute)
    templating.install(app)
    web_errors.install(app, ERRORS)
    _refuse_undeclared(app)
    return app


def _configure(app: Flask, settings: Settings) -> None:
    secure = settings.secure_cookies
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(settings.database_url),
        REDIS_URL=settings.redis_url,
        PUBLIC_URL=settings.public_url,
        DATA_DIR=settings.data_dir,
        EXPORT_KEEP_HOURS=settings.export_keep_hours,
        MAX_UPLOAD_BYTES=settings.max_upload_bytes,
        ACCESS_TOKEN_EXPIRE_MINUTES=settings.access_token_expire_minutes,
        REFRESH_TOKEN_EXPIRE_DAYS=settings.refresh_token_expire_days,
        MAX_CONTENT_LENGTH=settings.max_body_bytes,
        MAX_BULK_BYTES=settings.max_bulk_bytes,
        MAX_FORM_MEMORY_SIZE=settings.max_body_bytes,
        SESSION_COOKIE_NAME="__Host-webmacs" if secure else "webmacs",
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=timedelta(minutes=settings.access_token_expire_minutes),
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_SSL_STRICT=False,  # it asks for a Referer, which many leave out; the token is bound to the session
        WTF_CSRF_TIME_LIMIT=None,
        TEMPLATES_AUTO_RELOAD=settings.development,
    )
    app.jinja_env.autoescape = True


def _extend(app: Flask, settings: Settings) -> None:
    db.init_app(app)
    csrf.init_app(app)
    htmx.init_app(app)
    manager = LoginManager()
    # no `current_user` in templates: it would ask the database, and the page that says that this is away needs none
    manager.init_app(app, add_context_processor=False)
    manager.session_protection = None  # the login row is the session: a roaming phone keeps it, a revoked one loses it
    manager.user_loader(load_browser)
    signer.use(settings.secret_key)
    sealer.use(settings.secret_key)
    notary.use(settings.secret_key)
    reactions.install(wiring.WIRING)
    capture.install()
    trail.installed.ledger = trail.Ledger(audit.append, audit.choose)
    app.extensions["webmacs.authenticators"] = Authenticators(
        tokens.recognise, accounts.recognise_browser, tokens.note_use
    )
    app.extensions["webmacs.credentials"] = Credentials()
    app.extensions["webmacs.proxies"] = proxies = Proxies(settings.trusted_proxies)
    if proxies:
        app.wsgi_app = proxies.around(app.wsgi_app)  # type: ignore[method-assign,assignment]  # as Flask tells one to wrap it
    app.extensions["webmacs.counters"] = Counters(settings.redis_url)
    app.extensions["webmacs.periodic"] = PERIODIC
    app.extensions["webmacs.mailer"] = _mailer(settings)
    app.extensions["webmacs.letters"] = LETTERS
    app.extensions["webmacs.resources"] = RESOURCES
    # nothing connects before it is used; without a Redis only the live view polls and the worker does not start
    redis_url = settings.redis_url or "redis://127.0.0.1:6379/0"
    app.extensions["webmacs.redis"] = Redis.from_url(redis_url)
    app.extensions["webmacs.onetime"] = OneTime(redis_url)
    app.extensions["webmacs.oidc"] = oidc.Clients(settings.identity_providers, settings.sso_landing)


def _mailer(settings: Settings) -> Mailer | None:
    if not settings.smtp_host:
        return None
    return Mailer(
        settings.smtp_host,
        settings.smtp_port,
        settings.smtp_security,
        settings.smtp_from,
        settings.smtp_username,
        settings.smtp_password,
    )


def _refuse_undeclared(app: Flask) -> None:
    """Deny unless declared: a route that says nothing about its rights keeps the application from starting."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint != "static" and not isinstance(
            getattr(app.view_functions[rule.endpoint], "__edge__", None), Edge
        ):
            raise RuntimeError(f"the route {rule.rule} declares neither a screen nor an endpoint")
