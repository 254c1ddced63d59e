"""How long a page takes to open in Chromium, and to filter and sort its arms."""

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


_HANDLED = """
async act => {
  const find = document.querySelector("input[name=find]");
  const sort = document.querySelectorAll("button.sort")[1];
  if (!find) return null;
  for (let e = find; e; e = e.parentElement) if (e.tagName === "DETAILS") e.open = true;
  const painted = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
  await painted();
  const begin = performance.now();
  if (act === "sort") sort.click();
  else { find.value = act; find.dispatchEvent(new Event("input", { bubbles: true })); }
  await painted();
  return performance.now() - begin;
}
"""


@dataclass(frozen=True)
class Opened:
    """Milliseconds until the first content was painted and until all was loaded; elements.

    `filtered` and `sorted` are the milliseconds until the arms are, where a page has a list of
    arms; `filtered` by a letter that nearly all of them have.
    """

    painted: float
    loaded: float
    elements: int
    filtered: float | None
    sorted: float | None


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
            times = tab.evaluate(_TIMES)
            found.append([*times, *(tab.evaluate(_HANDLED, act) for act in ("a", "sort"))])
            context.close()
        browser.close()
    filters, sorts = ([one[i] for one in found if one[i] is not None] for i in (3, 4))
    return Opened(
        median(one[0] for one in found),
        median(one[1] for one in found),
        int(found[-1][2]),
        median(filters) if filters else None,
        median(sorts) if sorts else None,
    )
