"""How easily a password is guessed: the one rule for claiming, creating, changing and resetting."""

import re

from webmacs.core.errors import Invalid
from webmacs.gateways.signing import hash_password

ENOUGH = 50_000  # guesses: beyond the most used passwords and their usual variations
OF_ONES_OWN = 5  # letters and digits that a password needs besides its owner's name and address
LOOKED_AT = 24  # characters; the search takes long on longer ones, and those that begin so well are good


def refuse_guessable(password: str, *about: str) -> None:
    """Refuse a password that an attacker tries among the first, also because of who its owner is.

    `about` are the owner's name and address. Raises `Invalid` for the field `password`.
    """
    # Only here: the lists take 15 MB, and most processes never set a password.
    from zxcvbn.matching import omnimatch
    from zxcvbn.scoring import most_guessable_match_sequence

    if _rest(password, about) < OF_ONES_OWN:
        why = "is made of your own name or address"
    else:
        looked_at = password[:LOOKED_AT]
        # not by the library's front door: that keeps the words of one call where the next one sees them
        if most_guessable_match_sequence(looked_at, omnimatch(looked_at))["guesses"] >= ENOUGH:
            return
        why = "is among the first that are tried"
    raise Invalid({"password": f"This password {why}. Take a longer one: four unrelated words are good."})


def hash_good(password: str, *about: str) -> str:
    """What to keep of a new password. Raises `Invalid` like `refuse_guessable`."""
    refuse_guessable(password, *about)
    return hash_password(password)


def _rest(password: str, about: tuple[str, ...]) -> int:
    """How many letters and digits are left without the words of `about`."""
    rest = password.lower()
    words = {word for text in about for word in re.split(r"[\W_]+", text.lower()) if len(word) > 2}
    for word in sorted(words, key=len, reverse=True):
        rest = rest.replace(word, "")
    return len(re.sub(r"[\W_]+", "", rest)) if rest != password.lower() else len(password)
