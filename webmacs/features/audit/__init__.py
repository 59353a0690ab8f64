"""The audit trail: who changed what, when and from where, and what was refused; nothing in it can change unnoticed."""
