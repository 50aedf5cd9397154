"""A browser, and the built site at an address: fixtures that some folders share."""

import functools
import http.server
import shutil
import threading

import pytest
from playwright.sync_api import sync_playwright

from tools.website import links


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def address():
    """Serve the site below a path, as GitHub Pages does; give its address."""
    handler = functools.partial(Quiet, directory=links.SITE.parent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/{links.SITE.name}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def chromium():
    """Start the browser; without one, its tests skip and say so."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("there is no chromium: this test looks at the site in one")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox"]
        )
        yield browser
        browser.close()
