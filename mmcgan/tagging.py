"""mmcgan tag PHOTO|FOLDER…: tag photos, write their tags, or take them out again."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from operator import methodcaller
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from mmcgan.cli import PathType, config_options, given, say
from mmcgan.errors import MmcganError, OptionError, PhotoError, escaped
from mmcgan.files import is_file, json_text
from mmcgan.folders.choice import Choice
from mmcgan.folders.config import TagConfig
from mmcgan.folders.contact_sheet import write_contact_sheet
from mmcgan.folders.photo_files import find_photos, is_folder
from mmcgan.folders.photo_library import Make, Result, build_outputs, clear_library, tag_library
from mmcgan.folders.summary import Summary, summarized
from mmcgan.inference import model_dir
from mmcgan.inference.photos.feature_cache import FeatureCache
from mmcgan.inference.tagger import Tag, Tagger
from mmcgan.inference.words.vocabulary import printed
from mmcgan.metadata import Change
from mmcgan.options import flag
from mmcgan.terminal import quiet_libraries


def print_card(context: click.Context, _: click.Parameter, is_wanted: bool) -> None:
    """Print the card of the model that ships, and end."""
    if is_wanted:
        click.echo((model_dir.PRETRAINED / "MODEL_CARD.md").read_text(encoding="utf-8"), nl=False)
        context.exit()


@click.command("mmcgan")
# What cannot be read is a failure of its own, and the others are tagged.
@click.argument(
    "paths",
    type=PathType(readable=False),
    nargs=-1,
    required=True,
    metavar="PHOTO|FOLDER…",
)
@click.option(
    "--model-card",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=print_card,
    help="Print the card of the model that ships with mmcgan, and end.",
)
@config_options(TagConfig)
def main(paths: tuple[str, ...], **options: Any) -> int:
    """Print the ranked tags of photos, and of all photos in folders; write them if asked to.

    What --csv or --write has of a photo already is not done again, so that the same call goes on
    after an interruption. Folders are searched for photos, with all folders in them.
    """
    config = TagConfig(**given(options))
    require_files(config)
    found = find_photos(paths, with_lost=config.remove)
    is_told = config.is_of_library or any(map(is_folder, paths))
    # About a few photos nothing is said: their tags are the answer.
    tell = partial(say, err=True) if is_told else lambda line: None
    with summarized(found, config.summary, tell, config.dry_run) as summary:
        for path, error in found.failed:
            show(config, path, PhotoError(error))
        if config.remove:
            clear_library(found.photos, _maker(config), summary, partial(show, config))
        else:
            tag(found.photos, config, summary)
    return 1 if summary.failed else 0


def require_files(config: TagConfig) -> None:
    """Raise `OptionError` if what is to be written is a folder, or the folder of --report none."""
    for name, path in (("csv", config.csv), ("summary", config.summary)):
        if path is not None and is_folder(path):
            raise OptionError(f"{flag(name)}: {path} is a folder; name a file")
    if config.report is not None and is_file(config.report):
        raise OptionError(f"--report: {config.report} is a file; name a folder")


def tag(photos: tuple[str, ...], config: TagConfig, summary: Summary) -> None:
    """Say which model is taken, tag `photos` with it and write what `config` asks for."""
    run = config.run or model_dir.default_model()
    taken = model_dir.describe_model(run)
    # With --json, stdout holds the objects and nothing else.
    say(taken, err=config.json)
    tagger = Tagger.load(run, config.seed, objects=not config.no_objects)
    limit = None if config.cache_size is None else round(config.cache_size * 2**30)
    cache = FeatureCache(tagger.seen_record, limit=limit)
    tagger = replace(tagger, folds=not config.no_fold, cache=cache)
    outputs = build_outputs(config, run, _maker(config), summary)
    choice = Choice.of(config, tagger)
    tagged: list[tuple[str | Path, list[Tag]]] = []

    def shown(path: str, result: Result) -> None:
        show(config, path, result)
        if not isinstance(result, MmcganError):
            tagged.append((path, result))

    with quiet_libraries():
        tag_library(photos, tagger, choice, outputs, summary, shown)
        if config.report:
            sheet = write_contact_sheet(config.report, tagged, taken)
            say(f"contact sheet: {sheet}", err=config.json)


def show(config: TagConfig, path: str, result: Result) -> None:
    """Print the tags of a photo (not in a dry run), or say on stderr why it has none."""
    with tqdm.external_write_mode():
        if isinstance(result, MmcganError):
            say(f"{click.get_current_context().obj}: error: {result}", err=True)
        if config.json:
            click.echo(as_json(path, result))
        elif not (isinstance(result, MmcganError) or config.dry_run):
            click.echo(as_text(path, result))


def as_json(path: str, result: Result) -> str:
    """Return one JSON object with the tags of a photo, or with the reason why it has none."""
    encoding = sys.stdout.encoding or "utf-8"
    if isinstance(result, MmcganError):
        return json_text({"path": path, "error": str(result)}, encoding)
    tags = [{"word": tag.word, "score": tag.score} for tag in result]
    return json_text({"path": path, "tags": tags}, encoding)


def as_text(path: str, tags: list[Tag]) -> str:
    """Return the path and the tags, one a line, with the words as a person writes them."""
    lines = [path, *(f"  {tag.score:.3f}  {printed(tag.word)}" for tag in tags)]
    return "\n".join(map(escaped, lines))


def _maker(config: TagConfig) -> Make:
    return _show_change if config.dry_run else methodcaller("apply")


def _show_change(change: Change) -> None:
    with tqdm.external_write_mode():
        click.echo(change.diff(), nl=False)
