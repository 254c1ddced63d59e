"""How long a page takes to open in Chromium."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from statistics import median

_FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
_TIMES = """
() => {
  const [load] = performance.getEntriesByType("navigation");
  const painted = performance.getEntriesByName("first-contentful-paint")[0];
  return [painted ? painted.startTime : load.loadEventEnd, load.loadEventEnd,
          document.querySelectorAll("*").length];
}
"""


@dataclass(frozen=True)
class Opened:
    """Milliseconds until the first content was painted and until all was loaded; elements."""

    painted: float
    loaded: float
    elements: int


def opened(page: Path, repeats: int) -> Opened | None:
    """Open a page so many times, each in a fresh context; medians. None without Chromium."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=_FLAGS)
        found = []
        for _ in range(repeats):
            context = browser.new_context(viewport={"width": 1366, "height": 900})
            tab = context.new_page()
            tab.goto(page.resolve().as_uri())
            tab.wait_for_function("performance.getEntriesByType('navigation')[0].loadEventEnd > 0")
            found.append(tab.evaluate(_TIMES))
            context.close()
        browser.close()
    return Opened(
        median(one[0] for one in found), median(one[1] for one in found), int(found[-1][2])
    )
