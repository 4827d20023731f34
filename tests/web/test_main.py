from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

pytest.importorskip("fastapi", reason="needs the extra web")
import uvicorn
from helpers.photos import make_photo

from mmcgan.cli import run_command
from mmcgan.web.__main__ import address, listen, main


@pytest.fixture
def serve(monkeypatch):
    """What the server is given to serve, in a list; it ends at once, as by Ctrl-C."""
    served = []

    def run(self, sockets):
        served.append((self.config.app, sockets[0].getsockname()))
        raise KeyboardInterrupt

    monkeypatch.setattr(uvicorn.Server, "run", run)
    return served


@pytest.mark.usefixtures("stand_in")
def test_web_says_what_it_took_and_listens_on_this_machine_alone(trained, serve, capsys):
    data, run = trained
    assert run_command(main, ["--run", str(run), "--data", str(data), "--port", "0"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    host, port = serve[0][1]
    assert host == "127.0.0.1"
    assert first == f"run: {run}"
    assert second.startswith(f"http://127.0.0.1:{port}/ ")


@pytest.mark.usefixtures("stand_in", "packaged", "serve")
def test_web_without_a_run_takes_the_packaged_model(capsys):
    assert run_command(main, ["--port", "0"]) == 0
    assert capsys.readouterr().out.startswith("model: the one that ships with mmcgan\n")


@pytest.mark.usefixtures("stand_in", "serve")
def test_web_names_a_port_that_is_taken(trained, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run_command(main, ["--run", str(trained[1]), "--port", str(port)]) == 2
    assert f"127.0.0.1 port {port} cannot be listened on" in capsys.readouterr().err


def test_an_empty_host_is_not_taken_for_the_whole_network(trained, capsys):
    assert run_command(main, ["--run", str(trained[1]), "--host", ""]) == 2
    assert "--host: the address is empty; is a variable unset?" in capsys.readouterr().err


@pytest.mark.parametrize("args", [["--port", "65536"], ["--port", "x"], ["--nope"]])
def test_web_refuses_wrong_options(args, capsys):
    assert run_command(main, args) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_web_without_its_extra_names_the_command(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert run_command(main, []) == 1
    assert "pip install 'mmcgan[web]'" in capsys.readouterr().err


def test_address_of_ipv6_has_brackets():
    try:
        listening = listen("::1", 0)
    except Exception:
        pytest.skip("this machine has no IPv6")
    with listening:
        assert address(listening) == f"http://[::1]:{listening.getsockname()[1]}/"


def test_web_serves_the_model_that_ships(tmp_path):
    command = [sys.executable, "-m", "mmcgan.web", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        try:
            process.stdout.readline()
            url = process.stdout.readline().split()[0]
            tags = upload(url, make_photo("blue", (300, 200)))["tags"]
        finally:
            process.send_signal(signal.SIGINT)
            status = process.wait(60)
    assert len(tags) == 10
    assert status == 0


def upload(url: str, photo: bytes) -> dict:
    edge = "edge-of-a-part"
    head = f'--{edge}\r\nContent-Disposition: form-data; name="photo"; filename="a.png"\r\n\r\n'
    body = head.encode() + photo + f"\r\n--{edge}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={edge}"}
    request = urllib.request.Request(f"{url}tag", body, kind)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)
