"""The live page of a real run on Ray, in a real browser: whatever dies, the page says so."""

import re

import psutil
import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import needs_chromium
from live_examples import Command, lay_out, port_of

from harness import api
from harness.store import conductor_of, open_store

pytestmark = [pytest.mark.slow, needs_chromium]
PATIENCE = 600_000  # milliseconds; a machine may be slow


@pytest.fixture
def servers():
    """Ends the servers that runs left behind; each listens on its own port."""
    ports = []
    yield ports
    for port in ports:
        for server in serving(port):
            server.kill()


def serving(port):
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if {"live", "--port", port} <= set(process.info["cmdline"] or ())
    ]


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    shown = context.new_page()
    shown.set_default_timeout(PATIENCE)
    shown.complaints = []
    shown.on("console", lambda message: shown.complaints.append(message.text))
    shown.on("pageerror", lambda error: shown.complaints.append(str(error)))
    yield shown
    context.close()


def says(page, text, where="[role=status]"):
    page.locator(where).filter(has_text=text).first.wait_for()


def done(page):
    return int(re.match(r"(\d+) of", page.locator(".phases .number").inner_text()).group(1))


def more_than(page, count):
    page.wait_for_function(
        "least => parseInt(document.querySelector('.phases .number')?.textContent) > least",
        arg=count,
    )


def check_a_failure(page):
    """It opens by the keyboard, stays open, and keeps the focus while the page changes."""
    summary = page.locator(".failure summary").first
    summary.focus()
    page.keyboard.press("Enter")
    trace = page.locator(".failure pre").first
    assert "Traceback" in trace.inner_text()
    assert "a layer of <b>my own</b> & its mistake" in trace.inner_text()
    more_than(page, done(page))
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    assert page.locator(".failure[open]").count() == 1
    found = Axe().run(page).response["violations"]
    assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []


def test_a_run_is_followed_through_its_death_to_its_end(page, tmp_path, servers, free_port):
    study = lay_out(tmp_path)
    servers.append(free_port)
    # long enough that it goes on while the page is looked at
    command = ("run", str(study), "--live", "--live-port", free_port, "--set", "seeds=20")
    run = Command(tmp_path, *command)
    address = run.address()
    assert port_of(address) == free_port
    page.goto(address)
    says(page, "Running")
    more_than(page, 2)  # it changes by itself
    before = done(page)
    more_than(page, before)

    # what it says of a run that goes on
    assert page.title().endswith("slow (default)")
    assert page.locator("h1").inner_text() == "Does the <i>width</i> matter?"
    page.locator(".provisional td.number", has_text=re.compile(r"^[−\d.]+$")).first.wait_for()
    assert page.locator(".provisional td").last.inner_text() == "no verdict yet"
    assert page.locator(".verdict").count() == 0
    for word in ("supported", "refuted", "inconclusive"):
        assert word not in page.locator("main").inner_text()
    says(page, "errs more often than declared", ".caution")
    says(page, "Trials ran on CPU", "main")
    says(page, "EUR", ".facts")
    says(page, "about", ".facts")

    check_a_failure(page)

    # the conductor is killed
    assert conductor_of(tmp_path / "results")[0] == run.process.pid
    run.kill()
    says(page, "The process of this run is gone")
    says(page, "Give the same command again", ".state")
    counted = done(page)

    # it goes on, and the page with it, at the same address
    again = Command(tmp_path, *command)
    assert again.address() == address
    says(page, "Running")
    says(page, "There before", ".facts")
    assert done(page) >= counted - 20  # what had failed is tried again
    again.process.stdout.read()
    again.process.wait()
    says(page, "The run has ended")
    page.locator(".verdict").first.wait_for()  # it is judged after it has ended
    assert page.locator(".verdict").count() == 1
    assert page.locator(".provisional").count() == 0
    says(page, "reports/slow/index.html", ".state")
    assert page.complaints == []
    result = api.judge(["slow"], results=tmp_path / "results")[0]
    assert result["wider"].words == page.locator(".verdict").inner_text()


def test_the_page_says_that_its_server_is_gone_and_goes_on_with_the_next(page, tmp_path, free_port):
    first = Command(tmp_path, "live", "--port", free_port)
    page.goto(first.address())
    says(page, "Nothing has been run here yet")
    assert page.locator("#lost").is_hidden()
    first.kill()
    says(page, "does not answer", "#lost")
    second = Command(tmp_path, "live", "--port", free_port)
    second.address()
    page.locator("#lost").wait_for(state="hidden")
    assert second.end() == 130


@pytest.fixture(scope="module")
def served(ended_once):
    """The address of the page of a run that has ended, and its database as it was before."""
    before = (ended_once / "results" / "harness.db").read_bytes()
    server = Command(ended_once, "live", "--port", "0")
    yield server.address(), before
    server.end()


@pytest.mark.parametrize(
    "settings",
    [
        {"java_script_enabled": False},
        {"viewport": {"width": 390, "height": 844}},
        {"color_scheme": "dark"},
    ],
)
def test_without_scripts_on_a_phone_and_in_the_dark(browser, served, settings):
    address, _ = served
    context = browser.new_context(**settings)
    shown = context.new_page()
    asked = []
    shown.on("request", lambda request: asked.append(request.url))
    shown.goto(address, timeout=PATIENCE)
    assert shown.locator("[role=status]").inner_text() == "The run was interrupted"
    assert shown.locator(".arms tbody tr").count() == 3
    assert shown.locator(".provisional").count() == 1
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    if settings.get("java_script_enabled", True):
        assert shown.evaluate(wide) <= 0
        paper = shown.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (paper == "rgb(255, 255, 255)") == ("color_scheme" not in settings)
        found = Axe().run(shown).response["violations"]
        assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []
    assert {url.partition("?")[0] for url in asked if not url.startswith("data:")} == {address}
    context.close()


def test_the_store_is_left_as_it_was(browser, served, ended_once):
    address, before = served
    shown = browser.new_page()
    shown.goto(address, timeout=PATIENCE)
    shown.goto(f"{address}?run=1", timeout=PATIENCE)
    assert shown.locator(".arms").count() == 1
    shown.close()
    assert (ended_once / "results" / "harness.db").read_bytes() == before
    open_store(ended_once / "results").check()
