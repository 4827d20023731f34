"""The command line: options, messages on stderr and exit statuses."""

from __future__ import annotations

import errno
import importlib
import os
import subprocess
import sys
import warnings
from pathlib import Path
from threading import Thread

import click
import pytest
from helpers.pages import load_help_pages
from helpers.photos import make_photo

from data_prep.config import PrepareConfig
from mmcgan.cli import PathType, config_options, given, run_command
from mmcgan.errors import (
    DataError,
    DependencyError,
    MmcganError,
    OptionError,
    PhotoError,
    PhotoWarning,
    RunError,
    TrainingError,
)
from mmcgan.folders.config import TagConfig
from mmcgan.options import Option, flag
from mmcgan.training.config import PRESETS, TrainConfig

HELP = load_help_pages()
COMMANDS = {"prepare": PrepareConfig, "train": TrainConfig, "tagging": TagConfig}


def command(name: str) -> click.Command:
    found = importlib.import_module(f"mmcgan.{name}").main
    assert isinstance(found, click.Command)
    return found


def raising(error: BaseException) -> click.Command:
    @click.command("toy")
    def toy() -> None:
        raise error

    return toy


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_every_setting_with_its_default(name, capsys):
    assert run_command(command(name), ["--help"]) == 0
    help = without_spaces(capsys.readouterr().out)
    for declared in COMMANDS[name].all_options():
        assert flag(declared.name) in help
        assert without_spaces(declared.help) in help
        assert shown_default(COMMANDS[name], declared) in help


def test_help_of_training_has_a_heading_for_each_group(capsys):
    assert run_command(command("train"), ["--help"]) == 0
    parts = capsys.readouterr().out.split("Options")
    headings = [part.splitlines()[0] for part in parts[1:]]
    groups = ("generator", "discriminator", "objective", "optimiser", "run")
    assert headings == [*(f" of the {group}:" for group in groups), ":"]
    for declared in TrainConfig.all_options():
        place = 1 + groups.index(declared.group)
        assert f"{flag(declared.name)} " in parts[place]
    assert "--help" in parts[-1]


def shown_default(config: type, f: Option) -> str:
    """What the help says of a default, less its spaces: of training also the paper's."""
    ours = PRESETS["modern"].get(f.name, f.default) if config is TrainConfig else f.default
    if (config, f.name) == (TrainConfig, "preset"):
        return "[default:modern]"
    if ours != f.default:
        shown = ["notset" if value is None else value for value in (ours, f.default)]
        return f"[default:{shown[0]};paper:{shown[1]}]"
    return "" if ours in (None, (), False) else f"[default:{ours}]"


def without_spaces(text: str) -> str:
    """Return `text` as it is however its lines are broken."""
    return "".join(text.split())


@pytest.mark.parametrize(
    ("name", "args", "expected"),
    [
        (
            "prepare",
            ["--dataset", "flickr"],
            ["--dataset", "'flickr'", "'sample', 'folder', 'mirflickr'"],
        ),
        ("prepare", ["--word-size", "many"], ["--word-size", "'many'", "integer"]),
        ("prepare", ["--word-size", "0"], ["--word-size", "0", "at least 1"]),
        ("prepare", ["--max-failed", "2"], ["--max-failed", "2.0", "at most 1"]),
        ("prepare", ["--wordsize", "3"], ["--wordsize"]),
        ("prepare", ["--word-size"], ["--word-size", "requires an argument"]),
        ("prepare", ["left over"], ["left over"]),
        ("prepare", ["--dataset", "folder"], ["--root", "folder"]),
        ("train", ["--tags", "all"], ["--tags", "'all'", "'user', 'user+annotations'"]),
        ("train", ["--learning-rate", "nan"], ["--learning-rate", "nan", "at least 0"]),
        ("train", ["--preset", "best"], ["--preset", "'best'", "'paper'"]),
        ("tagging", [], ["PHOTO"]),
        ("tagging", ["a.jpg", "--k", "0"], ["--k", "0", "at least 1"]),
    ],
)
def test_wrong_option_is_one_line_and_status_2(name, args, expected, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_command(command(name), args) == 2
    stderr = capsys.readouterr().err
    assert stderr.count("\n") == 1
    assert stderr.startswith(f"{command(name).name}: error: ")
    assert [part for part in expected if part not in stderr] == []


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OptionError, 2),
        (DataError, 1),
        (PhotoError, 1),
        (RunError, 1),
        (TrainingError, 1),
        (DependencyError, 1),
        (MmcganError, 1),
    ],
)
def test_run_command_turns_an_error_into_its_status(error, status, capsys):
    assert run_command(raising(error("a\nb  c\x1b[2J.jpg is broken")), []) == status
    assert capsys.readouterr().err == "toy: error: a\\nb  c\\x1b[2J.jpg is broken\n"


def test_run_command_names_the_file_of_an_os_error(capsys):
    full = OSError(errno.ENOSPC, "No space left on device", "data/dataset.h5")
    assert run_command(raising(full), []) == 1
    assert capsys.readouterr().err == "toy: error: data/dataset.h5: No space left on device\n"
    assert run_command(raising(OSError("it cannot be")), []) == 1
    assert capsys.readouterr().err == "toy: error: it cannot be\n"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_run_command_is_interrupted_without_a_traceback(error, capsys):
    assert run_command(raising(error), []) == 130
    stderr = capsys.readouterr().err
    assert stderr.strip() == "toy: error: interrupted; what was done so far is kept"


def test_prepare_is_interrupted_without_a_traceback(capsys, monkeypatch, tmp_path):
    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mmcgan.prepare.prepare", interrupted)
    assert run_command(command("prepare"), ["--out", str(tmp_path)]) == 130
    assert capsys.readouterr().err.strip().count("\n") == 0


@pytest.mark.parametrize(("returned", "status"), [(None, 0), (0, 0), (1, 1)])
def test_run_command_returns_the_commands_status(returned, status):
    assert run_command(click.Command("toy", callback=lambda: returned), []) == status


def test_config_options_leave_out_what_was_not_given():
    seen = {}

    @click.command("toy")
    @config_options(PrepareConfig)
    def toy(**options: object) -> None:
        seen.update(given(options))

    assert run_command(toy, []) == 0
    assert seen == {}
    args = ["--corpus", "a", "--corpus", "b", "--download", "--seed", "0", "--out", "o"]
    assert run_command(toy, [*args, "--dataset", "folder"]) == 0
    assert seen == {
        "corpus": (Path("a"), Path("b")),
        "download": True,
        "seed": 0,
        "out": Path("o"),
        "dataset": "folder",
    }
    assert PrepareConfig(**seen).seed == 0


def path_parameters() -> list[tuple[str, click.Parameter]]:
    """Each parameter of each command that takes a path."""
    return [
        (typed, parameter)
        for typed in HELP.COMMANDS
        for parameter in HELP.load_command(typed).params
        if isinstance(parameter.type, click.Path)
    ]


@pytest.mark.parametrize(
    ("typed", "parameter"),
    path_parameters(),
    ids=[f"{typed} {parameter.name}" for typed, parameter in path_parameters()],
)
def test_an_empty_path_is_refused_before_anything_is_done(
    typed, parameter, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.png").write_bytes(make_photo("red"))
    called = HELP.load_command(typed)
    is_option = isinstance(parameter, click.Option)
    args = [parameter.opts[0], ""] if is_option else [""]
    args = ["photo.png", *args] if called.name == "mmcgan" else args
    if typed.endswith("stages"):
        args = ["prepare", "10", "2", *args]
    assert run_command(called, args) == 2
    name = parameter.opts[0] if is_option else parameter.human_readable_name
    expected = f"{called.name}: error: {name}: the path is empty; is a variable unset?\n"
    assert capsys.readouterr().err == expected
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


def test_every_option_whose_setting_is_a_path_is_one_on_the_command_line():
    found = {(typed, parameter.name) for typed, parameter in path_parameters()}
    stages = {f"mmcgan {name}" for name in ("tag", "prepare", "train", "evaluate", "export", "web")}
    assert stages <= {typed for typed, _ in found}
    wanted = {"paths", "run", "report", "csv", "summary"}
    assert {name for typed, name in found if typed == "mmcgan tag"} == wanted
    wanted = {"root", "out", "stop_list", "corpus", "vectors"}
    assert {name for typed, name in found if typed == "mmcgan prepare"} == wanted


def test_this_folder_is_a_path_where_it_is_meant():
    seen = []

    @click.command("toy")
    @click.argument("paths", type=PathType(), nargs=-1)
    def toy(paths: tuple[str, ...]) -> None:
        seen.extend(paths)

    assert run_command(toy, [".", " "]) == 0
    assert seen == [".", " "]
    assert run_command(toy, ["a", "", "b"]) == 2


def test_warnings_about_photos_are_shown_once_and_change_no_status(capsys):
    @click.command("toy")
    def toy() -> None:
        for _ in range(2):
            warnings.warn(PhotoWarning("a\nb.jpg lacks its last bytes"), stacklevel=1)
            in_thread = Thread(target=warnings.warn, args=(PhotoWarning("c.jpg is odd"),))
            in_thread.start()
            in_thread.join()

    for _ in range(2):
        assert run_command(toy, [], name="mmcgan toy") == 0
        err = capsys.readouterr().err.splitlines()
        assert err[0] == "mmcgan toy: warning: a\\nb.jpg lacks its last bytes"
        assert err[1:] == ["mmcgan toy: warning: c.jpg is odd"]


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "cp437", "utf-8", "iso-8859-1:strict"])
@pytest.mark.parametrize("err", [False, True])
def test_text_that_the_encoding_does_not_have_is_replaced(encoding, err):
    script = (
        "import sys, click\n"
        "from mmcgan.cli import run_command, say\n"
        "@click.command('toy')\n"
        "def toy():\n"
        "    for text in ('caf\\u00e9', '\\u65e5\\u672c \\u2192 \\u0142', 'x\\udcff.jpg'):\n"
        f"        say(text, err={err})\n"
        f"        print(text, file=sys.{'stderr' if err else 'stdout'})\n"
        "    say('end')\n"
        "sys.exit(run_command(toy, []))"
    )
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, env=environment)
    assert (result.returncode, b"Traceback" in result.stderr) == (0, False)
    assert result.stdout.split()[-1] == b"end"
    assert len((result.stderr if err else result.stdout).splitlines()) == (6 if err else 7)
