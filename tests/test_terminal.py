"""Text of unknown origin: nothing in it acts on a terminal, and cuts are counted."""

from mmst.terminal import escaped, shown


def test_control_and_format_characters_appear_as_escapes() -> None:
    assert escaped("\x1b[31mred\x1b[0m \x9b2J\r\n\tdone") == "\\x1b[31mred\\x1b[0m \\x9b2J\n\tdone"
    assert escaped("a\u202eb\ud800c\x00d\u2028") == "a\\u202eb\\ud800c\\x00d\\u2028"


def test_joiners_and_every_script_stay_as_they_are() -> None:
    text = "\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \u0915\u094d\u200d\u0937 \U0001f469\u200d\U0001f33e"
    assert escaped(text) == text


def test_text_is_cut_by_lines_and_by_length_and_says_how_much() -> None:
    part = shown("a" * 5000 + "\n" + "b\n" * 1000, line=2000, lines=400)
    assert part.text.startswith("a" * 2000 + " …\nb\n")
    assert part.left_out == 3000 + 2 * 601 + 1
    assert shown("short", line=10, lines=1) == ("short", 0)
    assert shown(None, line=10, lines=1) == ("", 0)
