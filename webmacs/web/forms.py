"""Forms: WTForms draws the fields, the schema decides what is right; both say the same words as the API."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import request
from flask_wtf import FlaskForm
from pydantic import BaseModel, ValidationError
from wtforms import SelectMultipleField
from wtforms.widgets import CheckboxInput, ListWidget

from webmacs.core.errors import Conflict, Invalid, NotFound

S = TypeVar("S", bound=BaseModel)
T = TypeVar("T")


class TicksField(SelectMultipleField):  # type: ignore[misc]  # wtforms ships no types
    """Several of a list, each with a tick."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


class SchemaForm(FlaskForm):  # type: ignore[misc]  # flask-wtf ships no types
    """A form over a schema. `status` is the answer's status once it was refused; what concerns no field stands in
    WTForms' own `form_errors`.
    """

    class Meta:
        csrf = False  # checked for every unsafe request before the view runs, see web/arrival.py

    form_errors: list[str]
    status = 200
    distinct = ""  # the field that must differ from all others of its kind; a conflict is shown there

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        for field in self._fields.values():
            # what the browser insists on is not labelled optional; a list always has a choice
            field.flags.required = bool((field.render_kw or {}).get("required")) or field.type == "SelectField"

    def submit(self, schema: type[S], do: Callable[[S], T]) -> T | None:
        """Validate what was sent and do it. None means refused: the fields carry the reasons."""
        try:
            return do(schema.model_validate(self._sent()))
        except ValidationError as refused:
            self._show({str(e["loc"][0]) if e["loc"] else "": _sentence(e["msg"]) for e in refused.errors()})
            self.status = 422
        except Invalid as refused:
            self._show(refused.fields)
            self.status = 422
        except (Conflict, NotFound) as refused:
            self._show({self.distinct: str(refused)})
            self.status = 422  # the page's answer is the form again; the API's is 409
        return None

    def _sent(self) -> dict[str, Any]:
        """Field → value as sent; an empty text field was left out by its user.

        What a field could not read goes on as it was typed: the schema refuses it, it is never taken for left out.
        """
        read = {
            name: field.raw_data[0] if field.process_errors and field.raw_data else field.data
            for name, field in self._fields.items()
        }
        return {name: value for name, value in read.items() if value is not None and value != ""}

    def _show(self, errors: dict[str, str]) -> None:
        for name, sentence in errors.items():
            if name in self._fields:
                self._fields[name].errors = [sentence]
            else:
                self.form_errors = [*self.form_errors, sentence]


def _sentence(message: str) -> str:
    message = message.removeprefix("Value error, ")
    if message in ("Field required", "Input should be a valid string"):
        return "Please fill in this field."
    return message[0].upper() + message[1:] + ("" if message.endswith(".") else ".")


def sent_data(name: str) -> str:
    """One value of the posted form, outside a form class."""
    return request.form.get(name, "")
