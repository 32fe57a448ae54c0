"""Chromium, driven by its own driver, with nothing to speak to but this machine's files."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pypdf
from axe_core_python.base import AXE_SCRIPT
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

WIDE = (1280, 900)
NARROW = (360, 740)
PHONE = (390, 844)
LARGE = (1920, 1080)
WAIT_S = 30  # for a machine that is busy; a page does it at once

_A4 = {"paperWidth": 8.27, "paperHeight": 11.69}  # in inches

_FLAGS = (
    "--headless=new",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",  # containers have little of it
    "--disable-gpu",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--no-first-run",
)


class Browser:
    """One Chromium; each page is opened from a file."""

    def __init__(self) -> None:
        """Start it. Raises selenium's WebDriverException where that fails."""
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or "chromium"
        for flag in _FLAGS:
            options.add_argument(flag)
        if os.geteuid() == 0:
            options.add_argument("--no-sandbox")  # root has none, and reads only its own files here
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        # Named, so that Selenium does not look for a driver to download.
        service = Service(shutil.which("chromedriver") or "chromedriver")
        self.driver = webdriver.Chrome(options=options, service=service)

    def close(self) -> None:
        """Stop it."""
        self.driver.quit()

    def open(
        self,
        file: Path,
        *,
        size: tuple[int, int] = WIDE,
        scheme: str = "light",
        with_script: bool = True,
    ) -> None:
        """Show a file in a window of ``size``, to a person who likes ``scheme``."""
        self.command(
            "Emulation.setDeviceMetricsOverride",
            {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False},
        )
        self.command(
            "Emulation.setEmulatedMedia",
            {"media": "", "features": [{"name": "prefers-color-scheme", "value": scheme}]},
        )
        self.command("Emulation.setScriptExecutionDisabled", {"value": not with_script})
        self.driver.get("about:blank")
        self.console()
        self.requests()
        self.driver.get(file.as_uri())

    def command(self, name: str, parameters: Mapping[str, Any]) -> Any:
        """Send a command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(name, dict(parameters))

    def console(self) -> list[str]:
        """Return, and forget, what the browser complained of or a page wrote."""
        return [each["message"] for each in self._log("browser")]

    def requests(self) -> list[str]:
        """Return, and forget, the addresses that were asked for."""
        messages = [json.loads(each["message"]) for each in self._log("performance")]
        return [
            each["message"]["params"]["request"]["url"]
            for each in messages
            if each["message"]["method"] == "Network.requestWillBeSent"
        ]

    def run(self, script: str, *values: object) -> Any:
        """Return the value of a function's body."""
        return self.driver.execute_script(script, *values)

    def open_all(self) -> None:
        """Unfold all that is folded."""
        self.run("for (const each of document.querySelectorAll('details')) each.open = true")

    def axe(self) -> tuple[dict[str, list[str]], int]:
        """Return the rules of axe's that the page breaks, each with its elements' HTML.

        The number is how many rules it keeps.
        """
        self.run(AXE_SCRIPT)
        result: dict[str, Any] = self.driver.execute_async_script(
            "const done = arguments[0]; axe.run().then(done)"
        )
        broken = {
            each["id"]: [node["html"][:200] for node in each["nodes"]]
            for each in result["violations"]
        }
        return broken, len(result["passes"])

    def until(self, condition: str) -> None:
        """Wait until a function's body returns what is true. Raises TimeoutException."""
        WebDriverWait(self.driver, WAIT_S).until(lambda _: self.run(condition))

    def press(self, *keys: str) -> None:
        """Press keys where the focus is."""
        webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    def tab_stops(self, limit: int) -> list[str]:
        """Press Tab until the focus leaves the page, and return where it was."""
        stops: list[str] = []
        for _ in range(limit):
            self.press(Keys.TAB)
            stop = self.run(
                "const at = document.activeElement;"
                "return at === document.body ? null : at.matches('summary')"
                " ? 'summary ' + (at.parentElement.id || at.textContent)"
                " : at.tagName.toLowerCase() + ' '"
                " + (at.id || at.getAttribute('href') || at.getAttribute('aria-label'))"
            )
            if stop is None or stop in stops:
                break
            stops.append(stop)
        return stops

    def printed(self) -> str:
        """Return the text of the pages that a printer would get."""
        return self.printed_pages()[0]

    def printed_pages(self) -> tuple[str, int]:
        """Return the text of the pages that a printer would get, and how many there are."""
        document = self.command("Page.printToPDF", {"printBackground": False, **_A4})
        pages = pypdf.PdfReader(io.BytesIO(base64.b64decode(document["data"]))).pages
        return "\n".join(page.extract_text() for page in pages), len(pages)

    def picture(self, file: Path) -> None:
        """Write a picture of the whole page, not only of what fits the window."""
        size = self.command("Page.getLayoutMetrics", {})["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        image = self.command(
            "Page.captureScreenshot",
            {"format": "png", "captureBeyondViewport": True, "clip": clip},
        )
        file.write_bytes(base64.b64decode(image["data"]))

    def _log(self, kind: str) -> list[dict[str, str]]:
        entries: list[dict[str, str]] = self.driver.execute("getLog", {"type": kind})["value"]
        return entries

    def find(self, selector: str) -> Any:
        """Return the first element of a CSS selector."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)
