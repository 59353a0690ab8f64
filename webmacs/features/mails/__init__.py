"""Mails that wait to be sent: what each is about, never what it says."""
