"""python -m eval.studies.judging: tags of real photographs, judged by eye.

The rules and the list of the photographs are in docs/judging. `find` gathers the photographs from
unpacked packages, `tags` takes over what a system gave them, `sheet` makes a blind sheet for the
judges, `collect` takes their verdicts, and `measure` writes the figures.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click
import numpy as np
import pandas as pd

from eval.studies.comparison import interval, markdown_table, write_results
from eval.studies.judgement import (
    DEPTH,
    JUDGES,
    MEASURES,
    agreement,
    folded,
    measure,
    names_of,
)
from mmcgan.cli import FILE, PATH, config_options, given, run_command, say
from mmcgan.errors import DataError
from mmcgan.files import atomic_path, is_file
from mmcgan.inference.words.vocabulary import printed
from mmcgan.options import Config, option

PAIRS_A_DECOY = 9  # so that one pair in ten is a decoy
RARE = 2  # photos at most that have a word of a decoy
DECOYS_ALLOWED = 0.05  # share of the decoys that a judge may accept

PHOTOS = ["id", "package", "version", "file", "sha256", "subject", "accepted", "half"]
TAGS = ["photo", "system", "rank", "word", "score"]
VERDICTS = ["photo", "word", *JUDGES]
JUDGINGS = ["sheet", "judge", "pairs", "decoys", "accepted"]
SHEET = ["pair", "photo", "word"]


@dataclass(frozen=True)
class TablesConfig(Config):
    """What all commands share."""

    tables: Path = option(Path("docs/judging"), "Folder of photos.csv and the other tables.")


@dataclass(frozen=True)
class SheetConfig(TablesConfig):
    """`python -m eval.studies.judging sheet`."""

    half: Literal["A", "B"] | None = option(None, "Only the photos of this half.")
    seed: int = option(0, "Seed of the order and of the decoys.", at_least=0)


@click.group("eval.studies.judging")
def main() -> None:
    """Have tags of real photographs judged by eye: docs/judging/README.md has the rules."""


@main.command("find")
@click.argument("packages", type=PATH)
@click.argument("out", type=PATH)
@config_options(TablesConfig)
def find(packages: Path, out: Path, **options: Any) -> None:
    """Copy the photographs from a folder of unpacked packages to OUT, each named by its id."""
    photos = read_photos(TablesConfig(**given(options)).tables)
    found = find_photos(packages, photos)
    for id, path in found.items():
        with atomic_path(out / f"{id}{path.suffix.lower()}") as partial:
            shutil.copyfile(path, partial)
    missing = photos[~photos["id"].isin(found)]
    for photo in missing.itertuples():
        say(f"missing: {photo.id}, {photo.file} of {photo.package} {photo.version}")
    if len(missing):
        raise DataError(f"{len(missing)} of {len(photos)} photographs are not under {packages}")
    say(f"{len(photos)} photographs: {out}")


def find_photos(folder: Path, photos: pd.DataFrame) -> dict[str, Path]:
    """Return the path of each photo that lies somewhere under a folder, by the photo's id."""
    ids = dict(zip(photos["sha256"], photos["id"], strict=True))
    suffixes = {Path(file).suffix for file in photos["file"]}
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix in suffixes and is_file(path):
            id = ids.get(hashlib.sha256(path.read_bytes()).hexdigest())
            if id is not None:
                found.setdefault(id, path)
    return found


@main.command("tags")
@click.argument("system")
@click.argument("answers", type=FILE)
@config_options(TablesConfig)
def take_tags(system: str, answers: Path, **options: Any) -> None:
    """Put the tags of a system into tags.csv, in place of those it had.

    ANSWERS is what `mmcgan tag --k 10 --json` printed for the photographs that `find` gathered.
    """
    folder = TablesConfig(**given(options)).tables
    photos = read_photos(folder)
    tags = read_table(folder / "tags.csv", TAGS, missing_is_empty=True)
    new = pd.DataFrame(read_answers(answers), columns=TAGS[:1] + TAGS[2:])
    lacking = sorted(set(photos["id"]) - set(new["photo"]))
    if lacking or not set(new["photo"]) <= set(photos["id"]):
        raise DataError(f"{answers} is not of the listed photographs; lacking: {lacking}")
    new.insert(1, "system", system)
    write_table(folder / "tags.csv", pd.concat([tags[tags["system"] != system], new]))
    say(f"{system}: {len(new)} tags of {len(photos)} photographs")


def read_answers(path: Path) -> Iterator[tuple[str, int, str, float]]:
    """Yield photo, rank, word and score of the ten best tags that `mmcgan tag --json` printed.

    Raises `DataError` for a line that is no answer, or that says why a photo has none.
    """
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            answer = json.loads(line)
            photo, tags = Path(answer["path"]).stem, answer["tags"][:DEPTH]
        except (ValueError, KeyError, TypeError):
            raise DataError(f"{path} has a line without tags: {line[:200]}") from None
        for rank, tag in enumerate(tags, 1):
            yield photo, rank, printed(tag["word"]), tag["score"]


@main.command("sheet")
@click.argument("out", type=PATH)
@config_options(SheetConfig)
def sheet(out: Path, **options: Any) -> None:
    """Write OUT/sheet.csv for the judges, and OUT/key.csv, which they must not see.

    The sheet holds the ten best tags of all systems that are not judged yet, and the decoys. A
    judge writes a CSV file with the columns pair and right, which is 1 or 0.
    """
    config = SheetConfig(**given(options))
    photos = read_photos(config.tables)
    tags, verdicts = read_tags(config.tables), read_verdicts(config.tables)
    if config.half:
        photos = photos[photos["half"] == config.half]
    key = make_sheet(photos, tags, verdicts, config.seed)
    write_table(out / "sheet.csv", key[SHEET])
    write_table(out / "key.csv", key)
    say(f"{len(key)} pairs, {key['decoy'].sum()} of them decoys: {out / 'sheet.csv'}")


def make_sheet(
    photos: pd.DataFrame, tags: pd.DataFrame, verdicts: pd.DataFrame, seed: int
) -> pd.DataFrame:
    """Return the pairs to judge, in a random order, photo by photo: pair, photo, word, decoy.

    Raises `DataError` if all are judged.
    """
    pairs = tags.loc[tags["rank"] <= DEPTH, ["photo", "word"]].drop_duplicates()
    judged = set(zip(verdicts["photo"], verdicts["word"], strict=True))
    is_new = [(p, w) not in judged for p, w in zip(pairs["photo"], pairs["word"], strict=True)]
    new = pairs[np.array(is_new, bool) & pairs["photo"].isin(photos["id"]).to_numpy()]
    if new.empty:
        raise DataError("all tags of these photographs are judged; there is nothing to ask")
    random = np.random.default_rng(seed)
    decoys = draw_decoys(new, pairs, names_of(photos), random)
    rows = pd.concat([new.assign(decoy=0), decoys.assign(decoy=1)])
    rows = rows.sort_values(["photo", "word"]).iloc[random.permutation(len(rows))]
    ids = new["photo"].drop_duplicates().sort_values().to_numpy()
    place = dict(zip(random.permutation(ids), range(len(ids)), strict=True))
    rows = rows.sort_values("photo", key=lambda column: column.map(place), kind="stable")
    rows.insert(0, "pair", [f"{number:05d}" for number in range(1, len(rows) + 1)])
    return rows


def draw_decoys(
    new: pd.DataFrame,
    pairs: pd.DataFrame,
    names: Mapping[str, set[str]],
    random: np.random.Generator,
) -> pd.DataFrame:
    """Return decoys (photo, word) for the `new` pairs; `names` are of each photo's subject.

    The word is one that few photos have and this one has not, from any system, in any spelling.
    """
    n_photos = pairs.groupby("word")["photo"].nunique()
    rare = np.array(sorted(n_photos.index[n_photos <= RARE]))
    taken = {photo: set(names[photo]) for photo in new["photo"]}
    for photo, word in zip(pairs["photo"], pairs["word"], strict=True):
        taken.get(photo, set()).add(folded(word))
    drawn = []
    n_decoys = max(round(len(new) / PAIRS_A_DECOY), 1)
    for row in random.choice(len(new), n_decoys, replace=False):
        photo = new["photo"].iloc[row]
        free = [word for word in rare if folded(word) not in taken[photo]]
        if free:
            drawn.append((photo, str(random.choice(free))))
            taken[photo].add(folded(drawn[-1][1]))
    return pd.DataFrame(drawn, columns=["photo", "word"])


@main.command("collect")
@click.argument("key", type=FILE)
@click.argument("judged", type=FILE, nargs=2)
@config_options(TablesConfig)
def collect(key: Path, judged: tuple[Path, Path], **options: Any) -> None:
    """Take the verdicts of two judges on the sheet of KEY into verdicts.csv.

    Refuses those of a judge who accepts more than 5 % of the decoys.
    """
    folder = TablesConfig(**given(options)).tables
    pairs = read_table(key, [*SHEET, "decoy"])
    known = read_verdicts(folder)
    if len(pairs.merge(known, on=["photo", "word"])):
        raise DataError(f"{folder / 'verdicts.csv'} has verdicts on pairs of {key} already")
    answers = [read_judged(path, pairs) for path in judged]
    done = read_table(folder / "judgings.csv", JUDGINGS, missing_is_empty=True)
    name = len(done) // len(JUDGES) + 1
    is_decoy = pairs["decoy"] == "1"
    n_decoys, new = int(is_decoy.sum()), []
    for judge, path, right in zip(JUDGES, judged, answers, strict=True):
        n_accepted = int(right[is_decoy].sum())
        if n_accepted > DECOYS_ALLOWED * n_decoys:
            raise DataError(f"{path} accepts {n_accepted} of {n_decoys} decoys, so it is void")
        new.append((name, judge, len(pairs) - n_decoys, n_decoys, n_accepted))
        pairs[judge] = right
    verdicts = pd.concat([known, pairs.loc[~is_decoy, VERDICTS]])
    write_table(folder / "verdicts.csv", verdicts.sort_values(["photo", "word"]))
    write_table(folder / "judgings.csv", pd.concat([done, pd.DataFrame(new, columns=JUDGINGS)]))
    say(f"{len(verdicts)} verdicts: {folder / 'verdicts.csv'}")


def read_judged(path: Path, pairs: pd.DataFrame) -> pd.Series[int]:
    """Return a judge's verdicts on `pairs`, in their order.

    Raises `DataError` unless there is one of each pair, 0 or 1.
    """
    judged = read_table(path, ["pair", "right"])
    if judged["pair"].duplicated().any() or set(judged["pair"]) != set(pairs["pair"]):
        raise DataError(f"{path} has not exactly one verdict on each pair of the sheet")
    if not judged["right"].isin(["0", "1"]).all():
        raise DataError(f"{path}: the column right holds more than 0 and 1")
    return judged.set_index("pair")["right"].astype(int).loc[pairs["pair"]].set_axis(pairs.index)


@main.command("measure")
@config_options(TablesConfig)
def write_measures(**options: Any) -> None:
    """Write the figures of all systems to measures.json and measures.md, and print them."""
    folder = TablesConfig(**given(options)).tables
    verdicts = read_verdicts(folder)
    judgings = read_table(folder / "judgings.csv", JUDGINGS, missing_is_empty=True)
    results = {
        "measures": MEASURES,
        "agreement": agreement(verdicts),
        "judgings": judgings.to_dict("records"),
        "halves": measure(read_photos(folder), read_tags(folder), verdicts),
    }
    write_results(folder, "measures", results, as_markdown(results))


def as_markdown(results: Mapping[str, Any]) -> str:
    """Return the results as GitHub Markdown."""
    parts = [f"- {name}: {text}\n" for name, text in results["measures"].items()]
    for half, systems in results["halves"].items():
        judged = {name: s for name, s in systems.items() if "figures" in s}
        parts.append(f"\nHalf {half}:\n\n")
        parts.append(markdown_table([*MEASURES, "worst frequent word"], _cells(judged)))
        parts += [
            f"\n{name}: {system['not judged']} tags are not judged.\n"
            for name, system in systems.items()
            if name not in judged
        ]
        parts += [f"\n{name}: {_frequent(s['frequent words'])}\n" for name, s in judged.items()]
    agreed = results["agreement"]
    if agreed["n_pairs"]:
        kappa = "none" if agreed["kappa"] is None else f"{agreed['kappa']:.2f}"
        parts.append(
            f"\nThe judges agree on {agreed['same']:.1%} of {agreed['n_pairs']} pairs, Cohen's "
            f"kappa {kappa}. Decoys accepted: {_accepted(results['judgings'])}.\n"
        )
    return "".join(parts)


def _cells(systems: Mapping[str, Any]) -> dict[str, list[str]]:
    return {
        name: [
            *(interval(system["figures"][measure], 3) for measure in MEASURES),
            f"{system['worst frequent word']:.3f}",
        ]
        for name, system in systems.items()
    }


def _frequent(words: Sequence[Mapping[str, Any]]) -> str:
    each = [f"{w['word']} on {w['photos']:.0%}, wrong on {w['wrong']:.0%}" for w in words]
    return "frequent words are " + "; ".join(each) if each else "no word is frequent"


def _accepted(judgings: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(
        f"{j['accepted']} of {j['decoys']} by {j['judge']} of sheet {j['sheet']}" for j in judgings
    )


def read_photos(folder: Path) -> pd.DataFrame:
    """Return the list of the photographs."""
    return read_table(folder / "photos.csv", PHOTOS)


def read_tags(folder: Path) -> pd.DataFrame:
    """Return the tags of all systems, with ranks as numbers."""
    return read_table(folder / "tags.csv", TAGS).astype({"rank": int})


def read_verdicts(folder: Path) -> pd.DataFrame:
    """Return the verdicts as numbers; none where there is no table yet."""
    verdicts = read_table(folder / "verdicts.csv", VERDICTS, missing_is_empty=True)
    return verdicts.astype(dict.fromkeys(JUDGES, int))


def read_table(path: Path, columns: list[str], *, missing_is_empty: bool = False) -> pd.DataFrame:
    """Return a CSV file as text; raise `DataError` if it is missing, or lacks a column."""
    if missing_is_empty and not path.exists():
        return pd.DataFrame(columns=columns, dtype=str)
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as reason:
        raise DataError(f"{path} cannot be read: {reason}") from None
    if missing := [column for column in columns if column not in table]:
        raise DataError(f"{path} has no column {', '.join(missing)}")
    return table


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a CSV file, wholly or not at all."""
    with atomic_path(path) as partial:
        table.to_csv(partial, index=False, lineterminator="\n")


if __name__ == "__main__":
    sys.exit(run_command(main))
