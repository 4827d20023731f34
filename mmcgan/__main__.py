"""python -m mmcgan PHOTO…: tag photos from the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from mmcgan import runs
from mmcgan.cli import config_options, given, run_command
from mmcgan.config import TagConfig
from mmcgan.contact_sheet import write_contact_sheet
from mmcgan.errors import PhotoError
from mmcgan.tagger import Tag, Tagger
from mmcgan.vocabulary import printed


@click.command("mmcgan")
@click.argument("photos", nargs=-1, required=True, metavar="PHOTO…")
@config_options(TagConfig)
def main(photos: tuple[str, ...], **options: Any) -> int:
    """Print the ranked tags of photos."""
    config = TagConfig(**given(options))
    run = config.run or runs.default_model()
    is_packaged = run == runs.PRETRAINED
    taken = "model: the one that ships with mmcgan" if is_packaged else f"run: {run}"
    # With --json, stdout holds the objects and nothing else.
    click.echo(taken, err=config.json)
    tagger = Tagger.load(run, config.seed)
    n_failed = 0
    tagged: list[tuple[str | Path, list[Tag]]] = []
    for path, result in zip(photos, tagger.tag_each(photos, config.k), strict=True):
        if isinstance(result, PhotoError):
            n_failed += 1
            click.echo(f"mmcgan: error: {result}", err=True)
        else:
            tagged.append((path, result))
        if config.json:
            click.echo(as_json(path, result))
        elif not isinstance(result, PhotoError):
            click.echo(as_text(path, result))
    if config.report:
        sheet = write_contact_sheet(config.report, tagged, taken)
        click.echo(f"contact sheet: {sheet}", err=config.json)
    return 1 if n_failed else 0


def as_json(path: str, result: list[Tag] | PhotoError) -> str:
    """Return one JSON object: the photo's tags, or why it has none."""
    if isinstance(result, PhotoError):
        return json.dumps({"path": path, "error": str(result)}, ensure_ascii=False)
    tags = [{"word": tag.word, "score": tag.score} for tag in result]
    return json.dumps({"path": path, "tags": tags}, ensure_ascii=False)


def as_text(path: str, tags: list[Tag]) -> str:
    """Return the photo and its tags, a line each, words as a person writes them."""
    lines = [f"  {tag.score:.3f}  {printed(tag.word)}" for tag in tags]
    return "\n".join([path, *lines])


if __name__ == "__main__":
    sys.exit(run_command(main))
