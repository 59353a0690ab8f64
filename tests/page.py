"""A browser without eyes: it visits pages, checks what every page promises, and fills in forms."""

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from urllib.parse import urljoin, urlsplit

import html5lib
from bs4 import BeautifulSoup, Tag
from flask import Flask, session
from flask_wtf.csrf import generate_csrf
from werkzeug.test import Client, TestResponse

UNLABELLED = {"hidden", "submit", "button", "reset", "image"}
LEAKS = re.compile(r"\bNone\b(?! [a-z])|\bUndefined\b|\{\{|\}\}|\{%|<built-in| object at 0x|\bnan\b")
LABELLING = ("aria-labelledby", "aria-describedby", "aria-controls", "aria-owns", "list", "form")


@dataclass(frozen=True)
class Form:
    """A form of a page and what its controls hold."""

    page: "Page"
    tag: Tag

    @property
    def action(self) -> str:
        """Where it is sent to."""
        return urljoin(self.page.url, str(self.tag["action"]))

    @property
    def is_offered(self) -> bool:
        """Whether its reader can send it: not all of its controls are switched off."""
        controls = [
            c for c in self.tag.select("button, input:not([type=hidden]), select") if not c.has_attr("disabled")
        ]
        return any(control.find_parent("fieldset", disabled=True) is None for control in controls)

    @property
    def values(self) -> dict[str, Any]:
        """What a browser would send if nobody changed anything."""
        sent: dict[str, Any] = {}
        for control in self.tag.select("input[name], select[name], textarea[name]"):
            name, value = str(control["name"]), _value(control)
            if value is not None:
                sent[name] = value
        return sent

    def has(self, name: str) -> bool:
        """Whether it has a control of this name."""
        return self.tag.select_one(f'[name="{name}"]') is not None

    def submit(self, **changes: Any) -> TestResponse:
        """Fill in some controls and send it; None leaves a control out (an unticked box)."""
        names = {str(control["name"]) for control in self.tag.select("[name]")}
        unknown = set(changes) - names
        assert not unknown, (
            f"the form {self.action} has no {', '.join(sorted(unknown))}, only {', '.join(sorted(names))}"
        )
        sent = {name: value for name, value in (self.values | changes).items() if value is not None}
        return self.page.browser.send("POST", self.action, data=sent)


def _value(control: Tag) -> Any:
    if control.has_attr("disabled"):
        return None
    if control.name == "textarea":
        return control.text.replace("\r\n", "\n").removeprefix("\n")  # a first line break belongs to the markup
    if control.name == "select":
        chosen = [str(o.get("value", o.text)) for o in control.select("option[selected]")]
        if control.has_attr("multiple"):
            return chosen or None
        first = control.select_one("option")
        return chosen[0] if chosen else str(first.get("value", first.text)) if first else None
    if control.get("type") in ("checkbox", "radio"):
        return str(control.get("value", "on")) if control.has_attr("checked") else None
    return None if control.get("type") in ("submit", "button", "file") else str(control.get("value", ""))


@dataclass(frozen=True)
class Page:
    """A page that has passed the checks."""

    browser: "Browser"
    url: str
    status: int
    html: str
    soup: BeautifulSoup

    @property
    def text(self) -> str:
        """What one reads, white space made single."""
        return " ".join(self.soup.get_text(" ").split())

    def forms(self) -> list[Form]:
        """The forms that are sent by POST."""
        return [Form(self, tag) for tag in self.soup.select("form") if str(tag.get("method", "")).lower() == "post"]

    def form(self, action: str) -> Form:
        """The form that is sent to the path `action`."""
        found = [form for form in self.forms() if urlsplit(form.action).path == action]
        assert found, f"{self.url} has no form for {action}, only {[form.action for form in self.forms()]}"
        return found[0]

    def links(self) -> set[str]:
        """The addresses on this site that it links to."""
        targets = {urljoin(self.url, str(a["href"])) for a in self.soup.select("a[href]")}
        return {urlsplit(t).path for t in targets if not urlsplit(t).netloc}


class Browser:
    """A browser, signed in with the session of that public id (None: signed out)."""

    def __init__(self, app: Flask, session_id: str | None = None) -> None:
        self.app = app
        self.client = Client(app)
        self._jar = app.test_client()
        self.csrf = ""
        if session_id is not None:
            self._sign_in(session_id)

    def _sign_in(self, session_id: str) -> None:
        with self.app.test_request_context():
            session["_user_id"], session["_fresh"] = session_id, True
            self.csrf = generate_csrf()
            kept = dict(session)
        with self._jar.session_transaction() as opened:
            opened.update(kept)
        name = self.app.config["SESSION_COOKIE_NAME"]
        cookie = self._jar.get_cookie(name)
        assert cookie is not None
        self.client.set_cookie(name, cookie.value)

    def send(self, method: str, path: str, *, csrf: bool = False, htmx: bool = False, **others: Any) -> TestResponse:
        """Send a request and check nothing; `csrf` adds the token as htmx sends it."""
        headers = dict(others.pop("headers", {}))
        others.setdefault("buffered", True)  # read to the end and closed, as a server does
        if csrf:
            headers["X-CSRFToken"] = self.csrf
        if htmx:
            headers["HX-Request"] = "true"
        return self.client.open(path, method=method, headers=headers, **others)

    def post(self, path: str, data: dict[str, Any] | None = None, **others: Any) -> TestResponse:
        """POST a form with its CSRF token."""
        return self.send("POST", path, csrf=True, data=data or {}, **others)

    def visit(self, path: str, status: int = 200) -> Page:
        """GET a page and check what every page promises."""
        return self.check(self.send("GET", path), path, status)

    def check(self, response: TestResponse, url: str, status: int = 200) -> Page:
        """Check an answer that is a whole page."""
        assert response.status_code == status, (
            f"{url} answered {response.status_code}: {response.get_data(as_text=True)[:500]}"
        )
        assert response.mimetype == "text/html", f"{url} is {response.mimetype}"
        html = response.get_data(as_text=True)
        page = Page(self, url, status, html, _parsed(html))
        found = problems(page.soup, html)
        assert not found, f"{url}:\n  " + "\n  ".join(found)
        return page


def problems(soup: BeautifulSoup, html: str) -> list[str]:
    """Everything that a whole page promises and this one does not keep."""
    return [
        *_validity(html),
        *_landmarks(soup),
        *_ids(soup),
        *_names(soup),
        *_forms(soup),
        *_inline(soup),
        *_leaks(soup),
    ]


def fragment_problems(html: str) -> list[str]:
    """The same for a fragment: one root element with an id, nothing inline, nothing leaked."""
    soup = _parsed(html)
    roots = [tag for tag in soup.contents if isinstance(tag, Tag)]
    found = [*_ids_unique(soup), *_names(soup), *_forms(soup), *_inline(soup), *_leaks(soup)]
    if len(roots) != 1 or not roots[0].get("id"):
        found.append(f"a fragment has one root with an id, this one {[(r.name, r.get('id')) for r in roots]}")
    return found


def _validity(html: str) -> list[str]:
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    parser.parse(html)
    return [f"line {place[0]}: {code} {data}" for place, code, data in parser.errors]


def _landmarks(soup: BeautifulSoup) -> list[str]:
    found = []
    for selector, wanted in (("h1", 1), ("main", 1), ("title", 1)):
        tags = [tag for tag in soup.select(selector) if tag.find_parent("svg") is None]
        if len(tags) != wanted:
            found.append(f"{len(tags)} <{selector}> instead of {wanted}")
        found += [f"an empty <{selector}>" for tag in tags if not tag.get_text(strip=True)]
    if not (soup.html and soup.html.get("lang")):
        found.append("no language on <html>")
    if not soup.select("meta[name=viewport]"):
        found.append("no viewport")
    headings = [int(tag.name[1]) for tag in soup.select("h1, h2, h3, h4, h5, h6")]
    found += [f"h{a} is followed by h{b}" for a, b in pairwise(headings) if b > a + 1]
    return found


def _ids_unique(soup: BeautifulSoup) -> list[str]:
    ids = [str(tag["id"]) for tag in soup.select("[id]")]
    return [f"the id {name} occurs {ids.count(name)} times" for name in sorted(set(ids)) if ids.count(name) > 1]


def _ids(soup: BeautifulSoup) -> list[str]:
    ids = {str(tag["id"]) for tag in soup.select("[id]")}
    found = _ids_unique(soup)
    for attribute in LABELLING:
        for tag in soup.select(f"[{attribute}]"):
            found += [
                f"{attribute} names the missing id {name}" for name in str(tag[attribute]).split() if name not in ids
            ]
    found += [f"#{a['href'][1:]} leads nowhere" for a in soup.select('a[href^="#"]') if str(a["href"])[1:] not in ids]
    for tag in soup.select('[hx-target^="#"]'):
        if str(tag["hx-target"])[1:] not in ids:
            found.append(f"hx-target {tag['hx-target']} does not exist")
    return found


def _parsed(html: str) -> BeautifulSoup:
    """The page without what stands in its <template>s: that is inert, and versions of the selector library differ."""
    soup = BeautifulSoup(html, "html.parser")
    for template in soup.find_all("template"):
        template.clear()
    return soup


def _names(soup: BeautifulSoup) -> list[str]:
    controls = [c for c in soup.select("input, select, textarea") if c.get("type") not in UNLABELLED]
    found = [f"<{c.name} name={c.get('name')}> has no label" for c in controls if not _is_labelled(soup, c)]
    nameless = [tag for tag in soup.select("a[href], button") if not _has_name(tag)]
    found += [f"<{tag.name}> without a name: {str(tag)[:120]}" for tag in nameless]
    found += [f"an image without alt: {tag.get('src')}" for tag in soup.select("img:not([alt])")]
    return found


def _is_labelled(soup: BeautifulSoup, control: Tag) -> bool:
    if control.get("aria-label") or control.get("aria-labelledby") or control.find_parent("label"):
        return True
    return bool(control.get("id")) and soup.select_one(f'label[for="{control["id"]}"]') is not None


def _has_name(tag: Tag) -> bool:
    images = any(str(image.get("alt", "")).strip() for image in tag.select("img"))
    return bool(tag.get("aria-label") or tag.get("aria-labelledby") or tag.get_text(strip=True) or images)


def _forms(soup: BeautifulSoup) -> list[str]:
    found = []
    for form in soup.select("form"):
        method = str(form.get("method", "")).lower()
        if not form.get("action"):
            found.append(f"a form without action: {str(form)[:120]}")
        tokens = form.select("input[type=hidden][name=csrf_token]")
        if method == "post" and not any(token.get("value") for token in tokens):
            found.append(f"the form {form.get('action')} has no CSRF token")
        if method != "post" and tokens:
            found.append(f"the form {form.get('action')} puts the CSRF token into an address")
        if method not in ("get", "post") and method != "dialog":
            found.append(f"the form {form.get('action')} has no method")
        if method != "dialog" and not form.select("button:not([type]), button[type=submit], input[type=submit]"):
            found.append(f"the form {form.get('action')} cannot be sent without JavaScript")
    return found


def _inline(soup: BeautifulSoup) -> list[str]:
    found = []
    for tag in soup.find_all(True):
        bad = [name for name in tag.attrs if name == "style" or name.startswith(("on", "hx-on"))]
        found += [f"<{tag.name}> has an inline {name}" for name in bad]
        for name in ("href", "src", "action"):
            if str(tag.get(name, "")).lower().lstrip().startswith("javascript:"):
                found.append(f"<{tag.name} {name}> runs JavaScript")
    found += ["an inline <style>" for _ in soup.select("style")]
    for script in soup.select("script:not([src])"):
        if script.get("type") not in ("application/json", "importmap"):
            found.append("an inline <script>")
        if script.get("type") == "importmap":
            found.append("an inline importmap: the content policy forbids it")
    return found


def _leaks(soup: BeautifulSoup) -> list[str]:
    texts = [text for text in soup.find_all(string=LEAKS) if text.find_parent(("script", "code", "pre")) is None]
    found = [f"leaked: {' '.join(text.split())[:120]}" for text in texts]
    for tag in soup.find_all(True):
        for name, value in tag.attrs.items():
            shown = " ".join(value) if isinstance(value, list) else str(value)
            if shown == "None" or re.search(r"=None\b|/None\b|\bUndefined\b|\{\{| object at 0x", shown):
                found.append(f"leaked: <{tag.name} {name}={shown[:80]}>")
    return found
