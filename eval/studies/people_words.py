"""python -m eval.studies.people_words --run RUN: give a run our rules of words, and objects.

This makes of a run on Flickr's photos the model that ships: its words become words for people, by
`mmcgan/inference/words/rules.csv`, and what stands in the picture joins them. The calibration of
objects is the one that was fitted on judged photographs, in place of what dev says.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from mmcgan.cli import config_options, given, run_command, say
from mmcgan.errors import RunError
from mmcgan.files import read_json, write_json
from mmcgan.inference.calibration import Calibration
from mmcgan.inference.model import read_model
from mmcgan.inference.model_dir import ModelDir, named_model
from mmcgan.inference.words.objects import object_words
from mmcgan.inference.words.rules import RuleTable
from mmcgan.options import Config, option


@dataclass(frozen=True)
class PeopleWordsConfig(Config):
    """A run, and the calibration of objects: p = sigmoid(scale · logit(probability) + shift)."""

    run: Path | None = option(None, "Run folder whose model is changed; the newest finished one.")
    scale: float = option(1.0, "Scale of the calibration of objects.", at_least=0.001)
    shift: float = option(0.0, "Its shift.")
    threshold: float = option(
        0.2, "The least calibrated probability of an object that is named.", at_least=0, at_most=1
    )


@click.command("eval.studies.people_words")
@config_options(PeopleWordsConfig)
def main(**options: Any) -> None:
    """Give the model of a run our rules of words, and a calibration of objects."""
    config = PeopleWordsConfig(**given(options))
    run = named_model(config.run)
    give_words(ModelDir(run), Calibration(config.scale, config.shift, config.threshold))
    say(f"rules of words and objects: {run}")


def give_words(folder: ModelDir, objects: Calibration) -> None:
    """Put our rules for its words, and for objects, into a model's file; its weights stay.

    Raises `RunError` if there is no such model.
    """
    words = read_model(folder).vocabulary.words
    rules = RuleTable.read().rules([*words, *object_words().words])
    description = read_json(folder.model_path, RunError)
    description.pop("synonyms", None)
    changes = {"rules": asdict(rules), "objects": asdict(objects)}
    write_json(folder.model_path, description | changes)


if __name__ == "__main__":
    sys.exit(run_command(main))
