"""Everything that reacts: fact → reactions, in reading order. Nothing else connects two features upwards."""

from webmacs.core.db import act_as
from webmacs.core.facts import Wiring
from webmacs.features.accounts import operations as accounts
from webmacs.features.accounts.facts import AccessEnded, UserDisabled, UserSignedIn
from webmacs.features.datapoints import operations as datapoints
from webmacs.features.datapoints.facts import DatapointsRecorded
from webmacs.features.events.facts import EventDeleted, EventsChanged
from webmacs.features.experiments.facts import ExperimentHeld, ExperimentStarted, ExperimentStopped
from webmacs.features.exports import jobs as export_jobs
from webmacs.features.exports.facts import ExportRequested
from webmacs.features.factors.facts import FactorsChanged
from webmacs.features.factors.schemas import Way
from webmacs.features.imports import jobs as import_jobs
from webmacs.features.imports.facts import ImportRequested
from webmacs.features.invitations.facts import UserInvited, UserJoined
from webmacs.features.logs import operations as logs
from webmacs.features.logs.schemas import LogType
from webmacs.features.mails import jobs as mail_jobs
from webmacs.features.mails.facts import MailQueued
from webmacs.features.resets.facts import PasswordReset
from webmacs.features.retention import jobs as retention_jobs
from webmacs.features.retention.facts import RetentionRequested
from webmacs.features.sso.facts import SignedInElsewhere
from webmacs.gateways import files
from webmacs.live import publish
from webmacs.web import arrival


def _name_sign_in(fact: UserSignedIn) -> None:
    act_as(fact.organization_id, fact.user_id)


def _log_sign_in(fact: UserSignedIn) -> None:
    if fact.way == Way.SSO:  # told already, with the provider's name
        return
    logs.note(fact.organization_id, f"User '{fact.username}' logged in.", user_id=fact.user_id)
    if fact.way == Way.RECOVERY:
        logs.note(
            fact.organization_id, f"User '{fact.username}' used a recovery code.", LogType.WARNING, user_id=fact.user_id
        )


def _factors_changed(fact: FactorsChanged) -> None:
    logs.note(fact.organization_id, fact.sentence, user_id=fact.user_id)
    accounts.end_logins_besides(fact.user_id, fact.session_id)


def _log_disabled(fact: UserDisabled) -> None:
    logs.note(fact.organization_id, f"User '{fact.username}' was disabled.", user_id=fact.user_id)


def _log_sign_in_elsewhere(fact: SignedInElsewhere) -> None:
    act_as(fact.organization_id, fact.user_id)
    sentence = f"User '{fact.username}' logged in via SSO ({fact.provider_name})."
    logs.note(fact.organization_id, sentence, user_id=fact.user_id)


def _log_invited(fact: UserInvited) -> None:
    sentence = f"User '{fact.username}' invited {fact.email} as {fact.role}."
    logs.note(fact.organization_id, sentence, user_id=fact.user_id)


def _log_joined(fact: UserJoined) -> None:
    act_as(fact.organization_id, fact.user_id)
    logs.note(fact.organization_id, f"User '{fact.username}' joined as {fact.role}.", user_id=fact.user_id)


def _log_reset(fact: PasswordReset) -> None:
    act_as(fact.organization_id, fact.user_id)
    sentence = f"User '{fact.username}' chose a new password by a one-time link."
    logs.note(fact.organization_id, sentence, LogType.WARNING, user_id=fact.user_id)


def _log_start(fact: ExperimentStarted) -> None:
    logs.note(fact.organization_id, f"Experiment '{fact.name}' started.", user_id=fact.user_id)


def _log_stop(fact: ExperimentStopped) -> None:
    logs.note(fact.organization_id, f"Experiment '{fact.name}' stopped.", user_id=fact.user_id)


def _log_hold(fact: ExperimentHeld) -> None:
    what = "put on hold" if fact.is_held else "released"
    logs.note(fact.organization_id, f"Experiment '{fact.name}' {what}.", user_id=fact.user_id)


def _forget_event(fact: EventDeleted) -> None:
    datapoints.check_hold(fact.organization_id, fact.event_id)
    datapoints.forget_event(fact.event_id)


def _experiments_changed(_fact: ExperimentStarted | ExperimentStopped) -> None:
    publish.voice().announcer.forget_runs()


def _forget_credentials(fact: AccessEnded) -> None:
    arrival.remembered().forget(fact.user_id)


WIRING = Wiring(
    inside={
        UserSignedIn: (_name_sign_in, _log_sign_in),
        FactorsChanged: (_factors_changed,),
        UserDisabled: (_log_disabled,),
        SignedInElsewhere: (_log_sign_in_elsewhere,),
        UserInvited: (_log_invited,),
        UserJoined: (_log_joined,),
        PasswordReset: (_log_reset,),
        EventDeleted: (_forget_event,),
        ExperimentStarted: (_log_start,),
        ExperimentStopped: (_log_stop,),
        ExperimentHeld: (_log_hold,),
    },
    after={
        MailQueued: (mail_jobs.ring,),
        ExportRequested: (export_jobs.ring,),
        RetentionRequested: (retention_jobs.ring,),
        ImportRequested: (import_jobs.ring,),
        files.FileForsaken: (files.remove_forsaken,),
        DatapointsRecorded: (publish.values,),
        EventsChanged: (publish.channels_changed,),
        ExperimentStarted: (_experiments_changed,),
        ExperimentStopped: (_experiments_changed,),
        AccessEnded: (_forget_credentials, publish.access_ended),
    },
)
