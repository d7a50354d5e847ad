"""The pages in two languages: every text is translated, and our reader of catalogues reads."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from gateway.errors import InvalidInputError
from gateway.watch.declared import DECLARED
from gateway.web import assets
from gateway.web.assets import FOLDER, MODULES, Assets
from gateway.web.catalogue import CatalogueError, parse
from gateway.web.pages import LANGUAGES, LOCALE, PAGES, TEMPLATES, Page, pages, render

TRANSLATED = sorted(set(LANGUAGES) - {"en"})
PLACES = re.compile(r"\{\w+\}")


def texts() -> set[str]:
    """Every text that the templates hold."""
    found = extract_from_dir(TEMPLATES, [("**.html", "jinja2")])
    return {str(message) for _, _, message, _, _ in found}


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_of_the_pages_is_translated_and_nothing_else(language: str) -> None:
    catalogue = parse((LOCALE / f"{language}.po").read_text("utf-8"))

    assert set(catalogue) == texts()
    assert len(catalogue) > 50
    for english, translated in catalogue.items():
        assert sorted(PLACES.findall(english)) == sorted(PLACES.findall(translated)), english


@pytest.mark.parametrize("language", TRANSLATED)
def test_our_reader_reads_a_catalogue_as_babel_does(language: str) -> None:
    content = (LOCALE / f"{language}.po").read_bytes()
    judge = {str(entry.id): entry.string for entry in read_po(BytesIO(content)) if entry.id}

    assert parse(content.decode()) == judge


@pytest.mark.parametrize(
    "line",
    ['msgid_plural "sheep"', 'msgctxt "farm"', "msgid sheep", 'msgid "sheep', 'msgid "a" "b"', "?"],
)
def test_what_the_reader_does_not_know_it_refuses(line: str) -> None:
    with pytest.raises(CatalogueError, match="line 1"):
        parse(line)


def test_a_long_text_and_its_escapes_are_read() -> None:
    content = 'msgid ""\n"a \\"quoted\\" "\n"text\\n"\nmsgstr ""\n"Eén "\n"tekst"\n'

    assert parse(content) == {'a "quoted" text\n': "Eén tekst"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_holds_a_script_or_a_style_of_its_own(page: object) -> None:
    assert isinstance(page, type(PAGES[0]))
    for language in LANGUAGES:
        shown = render(page, language, Assets("/assets/x", {}))

        assert re.findall(r"<script(?! type=\"module\" src=\"/assets/)[^>]*>", shown) == []
        assert re.search(r"<style|\sstyle=|\son\w+=|javascript:|https?:", shown) is None
        assert f'<html lang="{language}">' in shown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_two_texts_of_a_page_have_one_name(page: Page) -> None:
    names = re.findall(r'data-word="([^"]+)"', render(page, "en", Assets("/assets/x", {})))

    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize(
    "module", sorted([*FOLDER.glob("*.js"), *MODULES.rglob("*.js")]), ids=lambda path: path.name
)
def test_modules_find_their_words_and_their_neighbours(module: Path) -> None:
    source = module.read_text("utf-8")
    pages = "".join(path.read_text("utf-8") for path in TEMPLATES.glob("*.html"))

    for neighbour in re.findall(r'from "(\.[^"]+)"', source):
        places = [module.parent / neighbour, MODULES / neighbour]  # built, it stands beside them
        assert any(place.exists() for place in places), neighbour
    for name in re.findall(r'\bword\("([\w-]+)"', source):
        assert f'data-word="{name}"' in pages, name
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|\beval\b|localStorage", source)


def test_every_rule_of_the_watch_has_a_title_in_plain_words() -> None:
    shown = (TEMPLATES / "alertwords.html").read_text("utf-8")
    titled = re.findall(r'data-word="title-(\w+)"', shown)
    assert sorted(titled) == sorted(each.name for each in DECLARED)


def test_no_page_declares_an_act_for_none_says_anything_of_anybody() -> None:
    assert {entry.action for entry in pages().entries} == {None}
    assert {entry.method for entry in pages().entries} == {"GET"}


def test_pages_whose_modules_were_not_built_say_how_to_build_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for built in (tmp_path / "nothing", tmp_path):  # no folder, and one without the modules
        monkeypatch.setattr(assets, "BUILT", built)
        with pytest.raises(InvalidInputError, match="make install"):
            Assets.read()
