"""The stats page in a real browser: what it shows, live, and what can be done there, by mouse and by keyboard.

`stage.py` plays the node. Screenshots are kept in build/screenshots for people to look at.
"""

import base64
import contextlib
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.browser.conftest import AXE, SCREENSHOTS, Open, key_digest
from tests.conftest import leave_out
from tests.peers.programs import free_port, running

pytestmark = pytest.mark.slow

PHONE, DESK = 360, 1440
WIDTHS = pytest.mark.parametrize("width", [PHONE, DESK])
Start = Callable[..., "Played"]


class Played:
    """The page of a node that is played, as one user sees it."""

    def __init__(
        self,
        driver: webdriver.Chrome,
        port: int,
        user: str,
        *,
        width: int = DESK,
        scheme: str = "light",
        by: str = "http",
    ) -> None:
        self.driver = driver
        self.port = port
        self.address = f"{by}://127.0.0.1:{port}/"
        self.sizes = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width == PHONE}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", self.sizes)
        preference = {"name": "prefers-color-scheme", "value": scheme}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [preference]})
        if user:  # a browser remembers who it was given
            driver.get(f"{by}://{user}:secret@127.0.0.1:{port}/haproxy?stats;csv")
        driver.get(self.address)
        if user:
            self.wait(lambda: self.text("#pulse") == "live")

    def plays(self, what: str) -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/stage?do={what}", timeout=5) as answer:
            assert answer.status == 200

    def wait(self, condition: Callable[[], object]) -> None:
        WebDriverWait(self.driver, 15, poll_frequency=0.05).until(lambda _: condition())

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """As the document has it, seen or not."""
        found = self.script("return document.querySelector(arguments[0])?.textContent ?? ''", selector)
        return " ".join(str(found).split())

    def script(self, code: str, *arguments: Any) -> Any:
        return self.driver.execute_script(code, *arguments)

    def row(self, name: str) -> str:
        """A server's row, in words."""
        code = """
          const rows = [...document.querySelectorAll(".servers tbody tr")];
          return rows.find((row) => row.querySelector(".name").textContent === arguments[0]).textContent;
        """
        return " ".join(str(self.script(code, name)).split())

    def change(self, name: str) -> WebElement:
        """The button that opens the question about a server, in the middle of the window."""
        button = self.find(f"button[aria-label$='/{name}']")
        self.script("arguments[0].scrollIntoView({block: 'center'})", button)
        return button

    def actions(self) -> list[str]:
        """What can be done to the pair, in words."""
        return [one.text for one in self.all(".acts button") if one.is_displayed()]

    def action(self, words: str) -> WebElement:
        """The button with these words, in the middle of the window."""
        button = next(one for one in self.all(".acts button") if one.text == words)
        self.script("arguments[0].scrollIntoView({block: 'center'})", button)
        return button

    def shot(self, name: str) -> None:
        """Keep the whole page as a picture."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        height = self.script("return document.documentElement.scrollHeight")
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", self.sizes | {"height": height})
        self.script("return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        picture = self.driver.execute_cdp_cmd("Page.captureScreenshot", {})
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", self.sizes)
        (SCREENSHOTS / f"{name}.png").write_bytes(base64.b64decode(picture["data"]))

    def complaints(self) -> list[str]:
        """Of the accessibility checker."""
        if not AXE.exists():
            leave_out("no axe-core: sh tests/peers.sh fetches it by npm")
        self.script(AXE.read_text(encoding="utf-8") + "; window.axe = axe;")
        found = self.driver.execute_async_script(
            "axe.run({resultTypes: ['violations', 'incomplete']}).then((found) => arguments[0](found.violations))"
        )
        return [f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found for node in one["nodes"]]

    def said_to_console(self) -> list[Any]:
        return [one for one in self.driver.get_log("browser") if one["level"] in ("SEVERE", "WARNING")]


@pytest.fixture
def start(browser: Open, tmp_path: Path) -> Iterator[Start]:
    """Starts a stage, and a browser in front of it."""
    with contextlib.ExitStack() as stack:

        def begin(*options: str, user: str = "anna", width: int = DESK, scheme: str = "light") -> Played:
            port = free_port()
            command = [sys.executable, "-m", "tests.browser.stage", str(port), "--users", *options]
            stack.enter_context(running(command, port, log=tmp_path / "stage.log"))
            return Played(browser(), port, user, width=width, scheme=scheme)

        yield begin


@pytest.mark.parametrize("scheme", ["light", "dark"])
@WIDTHS
def test_all_of_it_is_there_and_fits_and_can_be_used_by_everybody(start: Start, width: int, scheme: str) -> None:
    page = start("--past", "3600", width=width, scheme=scheme)
    assert page.text("#headline").startswith("pi-a is Active since ")
    assert page.text("#summary").startswith("All 9 servers are UP. Now ")
    assert page.text(".node.active .vips") == "192.168.1.100192.168.1.101"
    assert page.text(".node.active h3") == "pi-a this node"
    assert [page.text(f"#nodes > :nth-child({place}) .role") for place in (1, 3)] == ["Active", "Backup"]
    assert len(page.all("#frontend-rows tr")) == 3
    assert len(page.all(".servers tbody tr")) == 9
    page.wait(lambda: len(page.script("return document.querySelector('.line.c1').getAttribute('d')")) > 1000)
    assert "down" in page.text(".servers tbody tr:first-child .strip")
    assert page.script("return document.documentElement.scrollWidth <= innerWidth")
    page.shot(f"{width}-{scheme}")
    assert page.complaints() == []
    assert page.said_to_console() == []


@WIDTHS
def test_what_happens_is_seen_while_it_happens(start: Start, width: int) -> None:
    page = start(width=width)
    page.plays("web1-down")
    page.wait(lambda: "DOWN" in page.row("web1"))
    assert page.text("#warnings") == "pool web: DOWN: web1 (DOWN by the stage: connection refused)"
    assert page.text("#event-list li:first-child .what").startswith("error: web/web1 is DOWN")
    assert page.text("#summary").startswith("8 of 9 servers UP, 1 DOWN.")
    page.plays("standby")
    page.wait(lambda: page.text("#headline").startswith("pi-b is Active since "))
    assert page.text(".node.active h3") == "pi-b 192.168.1.12"
    assert page.driver.title == "(1) pi-a STANDBY"
    assert page.text("#said").startswith("pi-b is Active since ")
    page.plays("active")
    page.plays("peer-dead")
    page.wait(lambda: page.text(".node.bad .role") == "Not heard")
    assert page.text(".link") == "no link"
    page.shot(f"{width}-peer-dead")
    assert page.complaints() == []
    page.plays("peer-back")
    page.wait(lambda: page.all(".node.bad") == [])
    before = page.text("#summary")
    page.wait(lambda: page.text("#summary") != before)
    assert page.said_to_console() == []


def test_what_happened_on_the_other_node_stands_where_it_belongs(start: Start) -> None:
    page = start()
    page.plays("web1-down")
    page.plays("told")
    page.wait(lambda: page.text("#event-list li:first-child").endswith("pi-b was toldon pi-b: role"))
    page.plays("told-late")
    page.wait(lambda: page.text("#event-list li:last-child").endswith("pi-b was told-lateon pi-b: role"))
    assert page.text("#event-list li:nth-child(2) .what").startswith("error: web/web1 is DOWN")
    assert "on pi-a" not in page.text("#event-list")
    assert page.complaints() == []
    assert page.said_to_console() == []


def test_what_others_write_is_text(start: Start) -> None:
    page = start()
    page.plays("warn")
    page.wait(lambda: page.text("#warnings") == "the fence was flushed <b>twice</b>")
    assert page.all("#warnings b") == []


@WIDTHS
def test_an_admin_changes_servers_after_a_question(start: Start, width: int) -> None:
    page = start(width=width)
    page.change("web2").click()
    assert page.text("#dialog-title") == "web2 of pool web"
    page.shot(f"{width}-question")
    assert page.complaints() == []
    page.find("#dialog .buttons button[type=button]").click()  # Cancel
    assert not page.find("#dialog").is_displayed()
    assert "UP" in page.row("web2")

    for what, label, shown in (
        ("drain", "Put web2 into DRAIN", "DRAIN"), ("maint", "Put web2 into MAINT", "MAINT"),
        ("ready", "Put web2 into READY", "UP"),
    ):  # fmt: skip
        page.change("web2").click()
        page.find(f"#dialog input[value={what}]").click()
        assert page.text(".confirm") == label
        page.find(".confirm").click()
        page.wait(lambda shown=shown: shown in page.row("web2"))
        assert page.text("#said") == f"web/web2 is {what.upper()}"
        page.wait(lambda: not page.find("#dialog").is_displayed())
    assert page.said_to_console() == []


def test_the_last_server_of_a_pool_is_spoken_of(start: Start) -> None:
    page = start("--servers", "1")
    page.change("web1").click()
    assert "clients would get 503" in page.text(".effect.bad")


def test_a_weight(start: Start) -> None:
    page = start()
    page.change("web3").click()
    page.find("#dialog input[value=weight]").click()
    number = page.find("#dialog input[type=number]")
    number.clear()
    number.send_keys("7")
    assert page.text(".confirm") == "Give web3 weight 7"
    page.find(".confirm").click()
    page.wait(lambda: page.text("#said") == "web/web3 has weight 7")
    code = "return [...document.querySelectorAll('.servers tbody tr')][2].cells[8].textContent"
    page.wait(lambda: page.script(code) == "7")


def test_everything_by_keyboard(start: Start) -> None:
    page = start("--past", "600")
    keys = page.driver.switch_to.active_element
    keys.send_keys(Keys.TAB)
    assert page.driver.switch_to.active_element.text == "Skip to the servers"
    page.change("web4").send_keys(Keys.ENTER)
    chosen = page.driver.switch_to.active_element
    assert chosen.get_attribute("value") == "drain"
    chosen.send_keys(Keys.ARROW_DOWN)
    assert page.text(".confirm") == "Put web4 into MAINT"
    chosen = page.driver.switch_to.active_element
    chosen.send_keys(Keys.ENTER)
    page.wait(lambda: "MAINT" in page.row("web4"))
    page.wait(lambda: page.driver.switch_to.active_element.get_attribute("aria-label") == "Change web/web4")
    page.change("web4").send_keys(Keys.ENTER)
    page.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not page.find("#dialog").is_displayed()

    plot = page.find(".plot")
    now = plot.get_attribute("aria-valuetext")
    plot.send_keys(Keys.HOME)
    begin = plot.get_attribute("aria-valuetext")
    assert ": requests " in begin
    assert begin != now
    assert page.text(".readout.marked")
    plot.send_keys(Keys.ESCAPE)
    assert page.text(".readout.marked") == ""


def test_a_handover_and_back_again(start: Start) -> None:
    page = start()
    page.action("Hand over to pi-b…").click()
    assert page.text("#dialog-title") == "Let pi-b take over?"
    assert "takes over 192.168.1.100/24 and 192.168.1.101/24" in page.text(".effect")
    page.find(".confirm").click()
    page.wait(lambda: page.text("#headline").startswith("pi-b is Active"))
    page.wait(lambda: page.text("#said") != "")
    page.wait(lambda: page.actions() == ["Take over…", "Maintenance…"])
    page.action("Take over…").click()
    assert page.text("#dialog-title") == "Let pi-a take over?"
    assert "pi-b is asked to hand over 192.168.1.100/24 and 192.168.1.101/24" in page.text(".effect")
    assert page.complaints() == []
    page.find(".confirm").click()
    page.wait(lambda: page.text("#headline").startswith("pi-a is Active"))
    page.wait(lambda: page.text("#said") == "pi-a is Active; 2 connections live on")
    page.wait(lambda: page.actions() == ["Hand over to pi-b…", "Maintenance…"])
    page.plays("peer-dead")
    page.wait(lambda: not page.action("Hand over to pi-b…").is_enabled())
    page.plays("standby")
    page.wait(lambda: page.actions() == ["Take over…", "Maintenance…"])
    assert page.action("Take over…").get_attribute("title") == "pi-b is not heard, and cannot be asked"
    assert page.said_to_console() == []


@WIDTHS
def test_maintenance_by_keyboard(start: Start, width: int) -> None:
    page = start(width=width)
    page.action("Maintenance…").send_keys(Keys.ENTER)
    assert page.text("#dialog-title") == "Take pi-a out of the pair?"
    assert page.text(".effect").startswith(
        "pi-b takes over first, and open connections live on. pi-a holds no VIP until"
    )
    page.shot(f"{width}-maintenance")
    assert page.complaints() == []
    page.find(".confirm").send_keys(Keys.ENTER)
    page.wait(lambda: page.text("#nodes > :nth-child(1) .role") == "In maintenance")
    page.wait(lambda: page.text("#said") == "pi-a is in maintenance")
    assert "by anna from 127.0.0.1" in page.text("#nodes > :nth-child(1)")
    assert page.actions() == ["End maintenance…"]
    assert page.complaints() == []
    page.action("End maintenance…").send_keys(Keys.ENTER)
    assert "It takes nothing back from pi-b by itself" in page.text(".effect")
    page.find(".confirm").send_keys(Keys.ENTER)
    page.wait(lambda: page.actions() == ["Take over…", "Maintenance…"])
    assert page.text("#nodes > :nth-child(1) .role") == "Backup"
    assert page.script("return document.documentElement.scrollWidth <= innerWidth")
    assert page.said_to_console() == []


def test_maintenance_where_nobody_takes_over_needs_a_word_more(start: Start) -> None:
    page = start()
    page.plays("peer-dead")
    page.wait(lambda: page.text(".node.bad .role") == "Not heard")
    page.action("Maintenance…").click()
    assert page.text(".effect.bad").startswith("Nobody is there to take over.")
    page.find(".confirm").click()
    page.wait(lambda: page.text(".trouble").startswith("pi-a goes on: nobody takes over"))
    page.find("input[name=force]").click()
    page.find(".confirm").click()
    page.wait(lambda: page.text("#nodes > :nth-child(1) .role") == "In maintenance")
    assert page.said_to_console() == []


def test_a_viewer_may_look_only(start: Start) -> None:
    page = start(user="vera")
    assert page.text("#who") == "vera, may look only"
    assert [one for one in page.all("button.act") if one.is_displayed()] == []
    for name in ("server", "handover", "takeover", "maintenance"):
        code = f"return fetch('/page/{name}', {{method: 'POST', body: '{{}}'}}).then((answer) => answer.status)"
        assert page.script(code) == 403, name


def test_who_does_not_log_in_sees_nothing(start: Start) -> None:
    page = start(user="")
    assert page.all("#headline") == []
    for path in ("", "page/events", "page/history"):
        with pytest.raises(urllib.error.HTTPError) as failure:
            urllib.request.urlopen(page.address + path, timeout=5)
        with failure.value:
            assert failure.value.code == 401


def test_a_page_of_another_origin_can_do_nothing(start: Start) -> None:
    page = start()
    elsewhere = free_port()
    command = [sys.executable, str(Path(__file__).with_name("site.py")), str(elsewhere)]
    with running(command, elsewhere, log=Path("/dev/null")):
        page.driver.get(f"http://127.0.0.1:{elsewhere}/")
        body = '{"pool": "web", "server": "web1", "action": "maint"}'
        code = """
          const options = {method: "POST", mode: "no-cors", credentials: "include", body: arguments[1]};
          return fetch(arguments[0], options).then((answer) => answer.type);
        """
        assert page.script(code, f"{page.address}page/server", body) == "opaque"
        page.driver.get(page.address)
    page.wait(lambda: page.text("#pulse") == "live")
    assert "UP" in page.row("web1")


def test_the_policy_holds_for_scripts_markup_and_other_hosts(start: Start) -> None:
    page = start()
    tries = """
      const outcome = [], note = (name) => (error) => outcome.push(`${name}: ${error.name}`);
      try { document.body.insertAdjacentHTML("beforeend", "<b>x</b>"); } catch (error) { note("markup")(error); }
      const script = document.createElement("script");
      try {
        script.textContent = "window.ran = true";
        document.body.append(script);
      } catch (error) { note("inline")(error); }
      return fetch("http://127.0.0.1:1/").catch(note("elsewhere")).then(() => [...outcome, window.ran === undefined]);
    """
    assert page.script(tries) == ["markup: TypeError", "inline: TypeError", "elsewhere: TypeError", True]


def test_a_node_that_is_gone_is_said_so_and_comes_back(browser: Open, tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "tests.browser.stage", str(port), "--users"]
    with running(command, port, log=tmp_path / "stage.log"):
        page = Played(browser(), port, "anna")
    page.wait(lambda: page.text("#pulse").startswith("not live: last heard "))
    assert page.script("return document.body.className") == "stale"
    page.shot("node-gone")
    with running(command, port, log=tmp_path / "stage.log"):
        page.wait(lambda: page.text("#pulse") == "live")
        assert page.script("return document.body.className") == ""


def test_the_same_by_https(browser: Open, issued: Any, tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "tests.browser.stage", str(port), "--users", "--certificate", str(issued.both)]
    with running(command, port, log=tmp_path / "stage.log"):
        trusting = browser(f"--ignore-certificate-errors-spki-list={key_digest(issued.certificate)}")
        page = Played(trusting, port, "anna", by="https")
        page.change("web2").click()
        page.find(".confirm").click()
        page.wait(lambda: "DRAIN" in page.row("web2"))
        assert page.said_to_console() == []


def test_two_hundred_servers_stay_smooth(start: Start) -> None:
    page = start("--servers", "200", "--past", "300")
    assert len(page.all(".servers tbody tr")) == 200
    watch = """
      window.long = []; window.ticks = 0;
      new PerformanceObserver((list) => window.long.push(...list.getEntries().map((one) => one.duration)))
        .observe({type: "longtask"});
      const changes = {subtree: true, characterData: true};
      new MutationObserver(() => window.ticks += 1).observe(document.querySelector("#summary"), changes);
    """
    page.script(watch)
    page.wait(lambda: page.script("return window.ticks") >= 6)
    long = page.script("return window.long")
    assert len(long) <= 2, long  # a machine that does something else is allowed a moment
    page.find("#filter").send_keys("shop15")
    page.wait(lambda: len(page.all(".servers tbody tr")) == 11)
    page.find("#filter").send_keys("x")
    page.wait(lambda: page.find("#no-servers").is_displayed())
    page.find("#filter").send_keys(Keys.BACKSPACE, Keys.BACKSPACE, Keys.BACKSPACE)
    page.plays("web1-down")
    page.find("#filter").clear()
    page.find("#trouble").click()
    page.wait(lambda: [one.text for one in page.all(".servers .name")] == ["web1"])
    page.find("#trouble").click()
    page.script("document.querySelectorAll('.pool')[2].scrollIntoView()")
    page.driver.save_screenshot(str(SCREENSHOTS / "200-servers.png"))
    assert page.said_to_console() == []
