"""What single sign-on leaves in the audit trail: who came, from where, what they became, and who was refused."""

from sqlalchemy import select

from webmacs.core.db import db
from webmacs.features.audit.models import AuditEntry


def entries(lab, **which):
    """The entries that fit, oldest first."""
    with lab.arrival(write=False):
        found = db.session.scalars(select(AuditEntry).filter_by(**which).order_by(AuditEntry.id)).all()
        db.session.expunge_all()
        return found


def test_a_new_identity_is_told_with_who_came_and_from_where(guest, lab):
    guest().code()
    (told,) = entries(lab, kind="identity", action="created")
    assert told.username == "grace"
    assert told.new_values["subject"] == "4711"
    assert told.address == "192.0.2.7"
    assert told.request_id.startswith("req_")
    assert [entry.username for entry in entries(lab, kind="user", action="created")][-1] == "grace"


def test_no_secret_of_the_flow_is_told(guest, lab):
    somebody = guest()
    code = somebody.code()
    token = somebody.client.post("/api/v1/auth/sso/exchange", json={"code": code}).json["access_token"]
    told = str([(entry.old_values, entry.new_values, entry.object_name) for entry in entries(lab)])
    for secret in (code, token, "eyJ"):
        assert secret not in told


def test_whoever_is_refused_is_told(guest, wicked, lab):
    somebody = guest()
    wicked.wish(userinfo={"email_verified": False})
    assert somebody.sign_in().status_code == 403
    assert any("not verified" in str(vars(entry)) for entry in entries(lab, action="refused"))
