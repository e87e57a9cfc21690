"""A real browser: Chromium without a window, spoken to over a pipe in its DevTools protocol.

SYNCD_TEST_CHROMIUM   the program, where it is neither `chromium` nor `google-chrome`
"""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest

_FOUND = os.environ.get("SYNCD_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
_ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
              "--hide-scrollbars", "--remote-debugging-pipe")  # fmt: skip


class Browser:
    """One page. `said` are the messages of its console, with whatever the Content-Security-Policy refused."""

    def __init__(self, profile: Path) -> None:
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        # Chromium reads commands from descriptor 3 and answers on 4.
        script = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'
        self._process = subprocess.Popen(
            ["bash", "-c", script, str(_FOUND), *_ARGUMENTS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._in, self._out = os.fdopen(ours_in, "rb", buffering=0), os.fdopen(ours_out, "wb", buffering=0)
        self._rest = b""
        self._number = 0
        self._session: str | None = None
        self.said: list[str] = []
        (page,) = (t for t in self._ask("Target.getTargets")["targetInfos"] if t["type"] == "page")
        attached = self._ask("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._ask(f"{domain}.enable")

    def close(self) -> None:
        with suppress(BrokenPipeError):
            self._send("Browser.close")
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._in.close()
        self._out.close()

    def go(self, address: str) -> None:
        """Open a page, and wait until it is loaded."""
        self._ask("Page.navigate", url=address)
        self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")

    def look(self, expression: str) -> Any:
        """The value of a JavaScript expression, evaluated past the page's own policy."""
        found = self._ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait_for(self, expression: str, seconds: float = 20) -> Any:
        """Wait until the expression is true."""
        deadline = time.monotonic() + seconds
        while not (value := self.look(expression)):
            assert time.monotonic() < deadline, (
                f"not in {seconds} s: {expression}\n{self.look('document.body.innerText')}"
            )
            time.sleep(0.1)
        return value

    def shows(self, width: int, height: int, *, dark: bool = False, mobile: bool = False) -> None:
        """The size of the window and the colours that its user likes."""
        self._ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        colours = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self._ask("Emulation.setEmulatedMedia", features=colours)

    def without_scripts(self) -> None:
        self._ask("Emulation.setScriptExecutionDisabled", value=True)

    def send_header(self, name: str, value: str) -> None:
        self._ask("Network.setExtraHTTPHeaders", headers={name: value})

    def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            self._ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=9)

    def accessible(self) -> list[dict[str, Any]]:
        """What a screen reader is told: the nodes of the accessibility tree."""
        return cast(list[dict[str, Any]], self._ask("Accessibility.getFullAXTree")["nodes"])

    def picture(self, path: Path, *, whole: bool = True) -> None:
        shot = self._ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def _send(self, method: str, **parameters: Any) -> int:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._out.write(json.dumps(message).encode() + b"\0")
        return self._number

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = self._send(method, **parameters)
        while True:
            answer = self._next()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return cast(dict[str, Any], answer["result"])
            self._note(answer)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            read = self._in.read(65536)
            assert read, "the browser is gone"
            self._rest += read
        message, _, self._rest = self._rest.partition(b"\0")
        return cast(dict[str, Any], json.loads(message))

    def _note(self, told: dict[str, Any]) -> None:
        parameters = told.get("params", {})
        match told.get("method"):
            case "Runtime.consoleAPICalled":
                self.said.append(str([argument.get("value") for argument in parameters["args"]]))
            case "Runtime.exceptionThrown":
                self.said.append(str(parameters["exceptionDetails"]))
            case "Log.entryAdded":
                self.said.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")


MakeBrowser = Callable[[], Browser]


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    """A new browser; without Chromium on this machine the test is skipped."""
    if _FOUND is None:
        pytest.skip("no Chromium is installed: nobody looks at the dashboard (Debian: apt install chromium)")
    opened = Browser(tmp_path / "chromium")
    yield opened
    opened.close()
