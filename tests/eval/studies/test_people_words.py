"""Our rules of words, given to a model."""

from __future__ import annotations

import json

from helpers.models import MIXTURE, WORDS, make_model, save

from eval.studies.people_words import main
from mmcgan.cli import run_command
from mmcgan.inference.calibration import Calibration
from mmcgan.inference.model import read_model
from mmcgan.inference.words.rules import NEVER


def test_a_model_is_given_our_rules_and_a_calibration_of_objects(tmp_path):
    vocabulary = make_model(MIXTURE).vocabulary
    words = ("flowers", "london", *WORDS[2:])
    folder = save(
        make_model(
            MIXTURE, vocabulary=type(vocabulary)(words, vocabulary.vectors, vocabulary.n_photos)
        ),
        tmp_path,
    )
    weights = folder.weights_path.read_bytes()
    options = ["--run", str(tmp_path), "--scale", "0.8", "--shift", "0.1", "--threshold", "0.3"]
    assert run_command(main, options) == 0
    found = read_model(folder)
    assert found.objects == Calibration(0.8, 0.1, 0.3)
    assert found.rules.becomes["flowers"] == "flower"
    assert found.rules.becomes["london"] == found.rules.becomes["日本"] == NEVER
    assert found.rules.becomes.keys() <= set(words)
    assert found.rules.thresholds["beagle"] > 0
    assert folder.weights_path.read_bytes() == weights
    once = json.loads(folder.model_path.read_text(encoding="utf-8"))
    assert run_command(main, options) == 0
    assert json.loads(folder.model_path.read_text(encoding="utf-8")) == once
