"""What a page looks like to somebody who looks closely: complaints, accessibility, overflow, overlaps, colours."""

import base64
import re
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Page

AXE = Path(__file__).with_name("vendor") / "axe-core@4.14.1" / "axe.min.js"
REFUSED = re.compile(r"responded with a status of 4\d\d|^Response Status Error Code 4\d\d ")
SERIOUS = ("serious", "critical")

_AXE_RUN = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"], elementRef: false });
  return violations.map(({ id, impact, help, nodes }) => ({
    id, impact, help, nodes: nodes.map((node) => `${node.target.join(" ")}: ${node.failureSummary}`),
  }));
}"""

# Things to press or fill in, and marks, that lie on each other; what floats above on purpose does not count.
_OVERLAPS = """() => {
  const floating = "dialog, .toasts, .rail, .tabbar, .header, .skip, .modebar-container";
  const selector = "main :is(button, input, select, textarea, a.button, .badge, .tile__age, .field__label, h1, h2, h3)";
  const seenPart = (element) => {  // without what a scrolling ancestor cuts off
    let { left, right, top, bottom } = element.getBoundingClientRect();
    for (let box = element.parentElement; box; box = box.parentElement) {
      if (getComputedStyle(box).overflowY === "visible") continue;
      const edge = box.getBoundingClientRect();
      [left, right] = [Math.max(left, edge.left), Math.min(right, edge.right)];
      if (box !== document.documentElement && box !== document.body)
        [top, bottom] = [Math.max(top, edge.top), Math.min(bottom, edge.bottom)];
    }
    return { left, right, top, bottom, width: right - left, height: bottom - top };
  };
  const seen = [...document.querySelectorAll(selector)]
    .filter((e) => !e.closest(`${floating}, .visually-hidden`) && e.checkVisibility({ visibilityProperty: true }))
    .map((e) => [e, seenPart(e)]).filter(([, box]) => box.width > 2 && box.height > 2);
  const name = (e) => `${e.localName}.${e.className} "${(e.ariaLabel ?? e.name ?? e.innerText ?? "").slice(0, 30)}"`;
  const found = [];
  seen.forEach(([a, one], i) => seen.slice(i + 1).forEach(([b, other]) => {
    if (a.contains(b) || b.contains(a)) return;
    const wide = Math.min(one.right, other.right) - Math.max(one.left, other.left);
    const high = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
    if (wide > 1 && high > 1) found.push(`${name(a)} and ${name(b)} by ${wide.toFixed()}×${high.toFixed()} px`);
  }));
  return found;
}"""

# Hue in degrees, saturation and value as in HSV: the alarm hues are red to yellow, and violet.
_ALARMING = """async (png) => {
  const bytes = Uint8Array.from(atob(png), (c) => c.charCodeAt(0));
  const picture = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const context = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
  context.drawImage(picture, 0, 0);
  const { data } = context.getImageData(0, 0, picture.width, picture.height);
  const found = {};
  let count = 0;
  for (let i = 0; i < data.length; i += 4) {
    const [r, g, b] = [data[i], data[i + 1], data[i + 2]];
    const high = Math.max(r, g, b), span = high - Math.min(r, g, b);
    if (high < 80 || span / high < 0.4) continue;
    const sector = high === r ? ((g - b) / span + 6) % 6 : high === g ? (b - r) / span + 2 : (r - g) / span + 4;
    const hue = sector * 60;
    if (!(hue < 70 || hue > 330 || (hue > 255 && hue < 310))) continue;
    count += 1;
    const key = `rgb(${r} ${g} ${b}) at ${(i / 4) % picture.width},${Math.floor(i / 4 / picture.width)}`;
    if (count <= 5) found[key] = hue;
  }
  return [count, Object.keys(found)];
}"""


class Watch:
    """Listens to what a tab complains about: its console, its scripts, its content policy."""

    def __init__(self, page: Page) -> None:
        self.complaints: list[str] = []
        self.refusals: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        where = message.location.get("url", "")
        line = f"{message.type}: {message.text} ({where})"
        is_asset = urlsplit(where).path.startswith("/static/") and "Status Error Code" not in message.text
        # Chromium logs every refused request; whether a refusal was due is what the journey itself asserts.
        (self.refusals if REFUSED.search(message.text) and not is_asset else self.complaints).append(line)


def violations(page: Page) -> list[str]:
    """What axe finds serious or critical."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate(_AXE_RUN)
    return [f"{v['id']} ({v['help']}): {node}" for v in found if v["impact"] in SERIOUS for node in v["nodes"][:4]]


def overlaps(page: Page) -> list[str]:
    """Controls, headings and marks that lie on each other."""
    return list(page.evaluate(_OVERLAPS))


def overflow(page: Page) -> list[str]:
    """By how many pixels the page is wider than the window, if it is."""
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [f"{wide} px wider than the window"] if wide > 0 else []


def alarming(page: Page, part: str = "body") -> tuple[int, list[str]]:
    """How many pixels have a saturated alarm hue (red to yellow, violet), and some of them; charts do not count."""
    lines = page.locator("canvas, .chart__key, .js-plotly-plot")
    picture = page.locator(part).screenshot(animations="disabled", mask=[lines], mask_color="#808080")
    count, some = page.evaluate(_ALARMING, base64.b64encode(picture).decode())
    return int(count), list(some)
