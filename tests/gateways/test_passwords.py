"""Which passwords are refused because they are guessed too easily."""

import subprocess
import sys
import time
from contextlib import suppress

import pytest

from tests.make import PASSWORD
from webmacs.core.errors import Invalid
from webmacs.gateways.passwords import refuse_guessable

ADA = ("Ada Lovelace", "ada.lovelace@lab.example")


@pytest.mark.parametrize(
    "password", [PASSWORD, "long enough", "another one", "Grünkohl mit Pinkel", "x7!Kq2#vLp", "猫が好きです今日"]
)
def test_a_password_that_nobody_guesses_soon_is_taken(password):
    refuse_guessable(password, *ADA)


@pytest.mark.parametrize(
    "password",
    [
        *("password", "12345678", "qwertyuiop", "iloveyou", "Passw0rd", "Passw0rd!", "drowssap", "aaaaaaaa"),
        *("abcdefgh", "1qaz2wsx", "19840512", "password" * 5, "a" * 128),
    ],
)
def test_a_password_that_is_tried_among_the_first_is_refused_and_says_what_to_do(password):
    with pytest.raises(Invalid) as refused:
        refuse_guessable(password, *ADA)
    assert refused.value.fields["password"].startswith("This password is among the first that are tried.")
    assert "four unrelated words" in refused.value.fields["password"]


@pytest.mark.parametrize(
    "password",
    ["ada.lovelace", "AdaLovelace", "Lovelace1", "ada@lab.example", "ADA.LOVELACE@lab.example", "lovelace1815"],
)
def test_a_password_made_of_its_owners_name_is_refused(password):
    with pytest.raises(Invalid, match="your own name or address"):
        refuse_guessable(password, *ADA)


def test_the_name_of_somebody_else_is_no_reason():
    refuse_guessable("ada.lovelace", "Grace Hopper", "grace@lab.example")


def test_the_most_used_passwords_are_all_refused():
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    taken = []
    for password in [word for word in FREQUENCY_LISTS["passwords"] if len(word) >= 8][:500]:
        try:
            refuse_guessable(password)
        except Invalid:
            continue
        taken.append(password)
    assert taken == []


def test_a_password_made_to_be_slow_is_judged_in_time():
    began = time.process_time()
    for hostile in ("4@8({[<3691!|0$5+7%2" * 6, "a1B!" * 32, "1!|70$5+" * 16):
        with suppress(Invalid):
            refuse_guessable(hostile[:128])
    assert time.process_time() - began < 5


def test_the_lists_are_not_loaded_before_a_password_is_judged():
    code = "import sys, webmacs.factory; print([name for name in sys.modules if name.split('.')[0] in "
    code += "('zxcvbn', 'webauthn', 'segno')])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
