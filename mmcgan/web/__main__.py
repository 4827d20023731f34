"""python -m mmcgan.web: the server of the web page."""

from __future__ import annotations

import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from mmcgan.cli import config_options, given, run_command, say
from mmcgan.errors import DependencyError, OptionError
from mmcgan.folders.config import RUN_HELP
from mmcgan.inference import model_dir
from mmcgan.inference.tagger import Tagger
from mmcgan.options import Config, option
from mmcgan.terminal import quiet_libraries
from mmcgan.training.prepared.dataset import read_dataset

# Of the HTTP server: no log, no name of its own, no web sockets, so many connections at once.
SETTINGS: dict[str, Any] = {
    "log_level": "warning",
    "access_log": False,
    "server_header": False,
    "ws": "none",
    "limit_concurrency": 64,
}


@dataclass(frozen=True)
class WebConfig(Config):
    """`python -m mmcgan.web`: a page on which photos are tagged."""

    run: Path | None = option(None, RUN_HELP)
    data: Path | None = option(
        None, "Folder of prepared data whose training photos are shown beside a similar one."
    )
    host: str = option("127.0.0.1", "Address to listen on; 0.0.0.0 for the whole network.")
    port: int = option(8000, "Port to listen on.", at_least=0, at_most=65535)


@click.command("mmcgan.web")
@config_options(WebConfig)
def main(**options: Any) -> None:
    """Serve a page on which photos are dropped and tagged, on this machine alone."""
    config = WebConfig(**given(options))
    try:
        import uvicorn

        from mmcgan.web.app import create_app
    except ImportError as reason:
        raise DependencyError(
            f"{reason.name} is not installed, which the web page needs: pip install 'mmcgan[web]'"
        ) from None
    with listen(config.host, config.port) as listening, quiet_libraries():
        app = create_app(load_service(config), config.host)
        settings = uvicorn.Config(app, **SETTINGS)
        click.echo(f"{address(listening)}  (Ctrl-C ends it)")
        with suppress(KeyboardInterrupt):
            uvicorn.Server(settings).run(sockets=[listening])


def load_service(config: WebConfig) -> Any:
    """Load the model and the photos to show beside others, and say what was taken."""
    from mmcgan.web.service import TaggingService
    from mmcgan.web.training_photos import TrainingPhotos

    run = config.run or model_dir.default_model()
    say(model_dir.describe_model(run))
    tagger = Tagger.load(run)
    tagger.backbone.features([])
    photos = TrainingPhotos.of(read_dataset(config.data), tagger.model) if config.data else None
    return TaggingService(tagger, model_dir.model_name(run), photos)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on `host`. Raises `OptionError` if that cannot be done."""
    if not host:  # which would be the whole network
        raise OptionError("--host: the address is empty; is a variable unset?")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as reason:
        raise OptionError(
            f"--host, --port: {host} port {port} cannot be listened on: {reason.strerror or reason}"
        ) from None


def address(listening: socket.socket) -> str:
    """Return where a browser on this machine finds the page."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


if __name__ == "__main__":
    sys.exit(run_command(main))
