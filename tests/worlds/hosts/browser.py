"""A headless Chromium as tests use it: a page is opened from disk, looked at, and judged by axe-core."""

from __future__ import annotations

import functools
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

DRAWN = "return document.readyState === 'complete'"


def start() -> Any:
    """The browser; skips where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver")
    chromium, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no chromium and chromedriver on the path")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options, webdriver.ChromeService(driver))


def look_at(browser: Any, path: Path, width: int = 1000, fragment: str = "") -> None:
    """Open a file, and expect nothing on the console; a phone's width is as wide as a phone."""
    phone = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    browser.get("about:blank")  # the same file with another fragment would not be loaded again
    browser.get(path.as_uri() + fragment)
    assert complaints(browser) == []


def complaints(browser: Any) -> list[str]:
    """What the console says since it was asked last."""
    return [entry["message"] for entry in browser.get_log("browser")]


def text(browser: Any, selector: str) -> list[str]:
    """The text of every element that is found, shown or not."""
    return [
        " ".join((e.get_attribute("textContent") or "").split())
        for e in browser.find_elements("css selector", selector)
    ]


def sideways(browser: Any) -> bool:
    """Whether the page scrolls sideways."""
    return bool(browser.execute_script("return document.documentElement.scrollWidth > window.innerWidth"))


@functools.cache
def axe() -> str:
    """The source of axe-core; skips where it is not installed (npm install --global axe-core)."""
    npm = shutil.which("npm")
    root = subprocess.run([npm, "root", "-g"], capture_output=True, text=True, check=True).stdout.strip() if npm else ""
    script = Path(root) / "axe-core" / "axe.min.js"
    if not root or not script.is_file():
        pytest.skip("no axe-core among the global packages of npm")
    return script.read_text("utf-8")


def findings(browser: Any, path: Path, width: int, scheme: str) -> list[str]:
    """What axe-core finds wrong with a page, as lines; the page's own policy is set aside for its script."""
    axe()
    browser.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
    media = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
    try:
        look_at(browser, path, width)
        browser.execute_script(axe())
        found = browser.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
    finally:
        browser.execute_cdp_cmd("Page.setBypassCSP", {"enabled": False})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert found["passes"], "axe-core looked at nothing"
    return [f"{v['impact']}: {v['id']}: {v['nodes'][0]['html'][:120]}" for v in found["violations"]]


class Elements(HTMLParser):
    """A page without a browser: every start tag with its attributes, and the texts by the element they stand in."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in ("meta", "input", "img", "wbr", "br", "link"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.texts.append((self._open[-1] if self._open else "", data))

    def inside(self, tag: str) -> str:
        """The text that stands directly in elements of this tag."""
        return "".join(data for element, data in self.texts if element == tag)

    @property
    def addresses(self) -> list[str]:
        """Everything that the page refers to."""
        return [
            v for _, attrs in self.tags for k, v in attrs.items() if k in ("href", "src", "srcset", "action", "data")
        ]
