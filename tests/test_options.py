"""How a setting is declared, on settings of the tests' own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from mmcgan.errors import OptionError
from mmcgan.options import Config, flag, flattened, option, shown


@dataclass(frozen=True)
class Toy(Config):
    kind: Literal["a", "b"] | None = option("a", "The kind.")
    size: int = option(3, "The size.", at_least=1, at_most=9)
    share: float | None = option(None, "The share.", at_least=0)
    folders: tuple[Path, ...] = option((), "Folders.")
    is_on: bool = option(False, "Whether it is on.")


def test_flag_is_the_command_lines_spelling():
    assert flag("learning_rate_decay") == "--learning-rate-decay"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "c"}, "--kind: 'c' is not one of a, b"),
        ({"size": 0}, "--size: 0 is out of range, it must be at least 1 and at most 9"),
        ({"size": 10}, "--size: 10 is out of range, it must be at least 1 and at most 9"),
        ({"share": -0.5}, "--share: -0.5 is out of range, it must be at least 0"),
        ({"share": float("inf")}, "--share: inf is out of range, it must be at least 0"),
        ({"kind": "c", "size": 0}, "--kind: 'c' is not one of a, b"),
    ],
)
def test_config_names_the_first_value_that_its_field_does_not_take(settings, message):
    with pytest.raises(OptionError) as caught:
        Toy(**settings)
    assert str(caught.value) == message


def test_config_takes_the_ends_of_a_range_and_what_is_not_given():
    toys = [Toy(), Toy(kind=None, size=1), Toy(size=9, share=0.0, is_on=True)]
    assert [toy.size for toy in toys] == [3, 1, 9]


def test_config_as_json_holds_plain_values():
    plain: dict[str, Any] = Toy(folders=(Path("a/b"), Path("c")), share=0.5).to_json()
    assert plain == {
        "kind": "a",
        "size": 3,
        "share": 0.5,
        "folders": ["a/b", "c"],
        "is_on": False,
    }


def test_defaults_are_shown_where_they_say_something():
    assert [Toy.defaults(name) for name in ("kind", "size", "share", "folders", "is_on")] == [
        "  [default: a]",
        "  [default: 3]",
        "",
        "",
        "",
    ]
    assert (shown(5), shown(None)) == ("  [default: 5]", "")


@dataclass(frozen=True)
class Wheel(Config):
    """A group."""

    size: int = option(20, "Its size.", name="wheel_size", at_least=1)
    n_spokes: int = option(30, "Its spokes.")


@dataclass(frozen=True)
class BigWheel(Wheel):
    """The same group with another default."""

    size: int = option(28, "Its size.", name="wheel_size", at_least=1)


@dataclass(frozen=True)
class Cart(Config):
    """Settings with an option of their own, and a group."""

    colour: str = option("red", "Its colour.")
    wheel: Wheel = Wheel()


@dataclass(frozen=True)
class BigCart(Cart):
    """Settings with another group in place of theirs."""

    wheel: BigWheel = BigWheel()


def test_options_of_groups_have_the_names_that_users_know():
    found = [(option.group, option.name) for option in Cart.all_options()]
    assert found == [("", "colour"), ("wheel", "wheel_size"), ("wheel", "n_spokes")]
    assert Cart().options() == {"colour": "red", "wheel_size": 20, "n_spokes": 30}
    assert [Cart.defaults(name) for name in ("colour", "wheel_size")] == [
        "  [default: red]",
        "  [default: 20]",
    ]
    assert BigCart.default("wheel_size") == 28


def test_settings_with_groups_are_made_from_flat_options():
    cart = BigCart.from_options(wheel_size=3, colour="blue")
    assert cart == BigCart("blue", BigWheel(3, 30))
    assert cart.with_options(n_spokes=8) == BigCart("blue", BigWheel(3, 8))
    with pytest.raises(TypeError, match="there is no option size, sound"):
        Cart.from_options(size=3, sound=1)
    with pytest.raises(OptionError, match="--wheel-size: 0 is out of range"):
        Cart.from_options(wheel_size=0)


def test_settings_with_groups_are_stored_in_groups_and_read_however_they_are():
    stored = BigCart().to_json()
    assert stored == {"colour": "red", "wheel": {"wheel_size": 28, "n_spokes": 30}}
    flat = {"colour": "red", "wheel_size": 28, "n_spokes": 30}
    assert flattened(stored) == flattened(flat) == flat
