"""A real Chromium for tests, driven by Selenium; they are skipped where none is installed."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def start_chromium(downloads: Path) -> Any:
    """Start a headless Chromium that saves into `downloads`; skip the test where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs Selenium")
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    driver = shutil.which("chromedriver")
    if not program or not driver:
        pytest.skip("needs chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    arguments = [
        "--headless=new",
        "--window-size=1200,900",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--hide-scrollbars",
    ]
    if os.geteuid() == 0:  # Chromium's sandbox refuses root, whom containers run tests as
        arguments.append("--no-sandbox")
    for argument in arguments:
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options, webdriver.ChromeService(driver))


def until(condition: Any, seconds: float = 30) -> Any:
    """Return the first true value of `condition`, asked again and again; fail if none comes."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.05)
    return value


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve an ASGI application in a thread; give its address."""
    import uvicorn

    from mmcgan.web.__main__ import address, listen

    with listen("127.0.0.1", 0) as listening:
        settings = uvicorn.Config(app, log_level="error", ws="none", timeout_graceful_shutdown=1)
        server = uvicorn.Server(settings)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        until(lambda: server.started)
        try:
            yield address(listening)
        finally:
            server.should_exit = True
            thread.join()
