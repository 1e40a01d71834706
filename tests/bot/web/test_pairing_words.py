"""The page's words: the same in both languages, with the same places to fill."""

import re

from bot.web.pairing_words import LANGUAGES, Words

SLOT = re.compile(r"\$\w+")


def test_both_languages_say_the_same_things_about_the_same_values() -> None:
    spanish, english = (Words(language)._texts for language in LANGUAGES)

    assert spanish.keys() == english.keys()
    for section, texts in spanish.items():
        assert texts.keys() == english[section].keys(), section
        for key, text in texts.items():
            other = english[section][key]
            assert text != other or key in {"seconds"}, (section, key)
            assert set(SLOT.findall(str(text))) == set(SLOT.findall(str(other))), (section, key)
