"""An answer's pins stay on their words whatever is written around them."""

from palimpsest.app.answer import Answer
from palimpsest.engine import Written, certain


def answer():
    return Answer.of([certain("one two three"), certain("four")])


def test_a_pin_comes_and_goes():
    pinned = answer().toggled(0, (4, 7))
    assert pinned.pins == (((4, 7),), ())
    assert pinned.unpinned() == (((0, 4), (7, 13)), ((0, 4),))
    assert pinned.toggled(0, (5, 6)).pins == ((), ())


def test_what_is_written_anew_takes_its_place_and_pins_move_along():
    pinned = answer().toggled(0, (4, 7))
    new = pinned.merged(pinned.unpinned(), [Written("a long way to ", (0.5,) * 14), Written("", ()), certain("5")])
    assert new.texts == ("a long way to two", "5")
    assert [new.texts[0][slice(*pin)] for pin in new.pins[0]] == ["two"]
    assert new.holes[0].settled == (*(0.5,) * 14, 1.0, 1.0, 1.0)


def test_another_word_is_pinned_where_it_is_put():
    new = answer().toggled(0, (8, 13)).with_text(0, (0, 3), "eleven")
    assert new.texts == ("eleven two three", "four")
    assert [new.texts[0][slice(*pin)] for pin in new.pins[0]] == ["eleven", "three"]


def test_nothing_may_take_the_place_of_a_word():
    new = answer().with_text(0, (3, 7), "")
    assert new.texts[0] == "one three"
    assert new.pins == ((), ())


def test_text_is_put_where_nothing_stands():
    assert answer().with_text(0, (13, 13), " four").texts[0] == "one two three four"
    assert Answer.of([certain("")]).with_text(0, (0, 0), "one").texts == ("one",)
