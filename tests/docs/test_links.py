"""What the documentation points to is there."""

import pytest
from pages import NAMES, PAGES, ROOT, anchors, links


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_relative_link_leads_somewhere(page):
    dead = []
    for target in links(page):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or not file.is_relative_to(ROOT):
            dead.append(target)
        elif anchor and anchor not in anchors(file):
            dead.append(f"{target}: there are {sorted(anchors(file))}")
    assert dead == []


def test_a_dead_link_would_be_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# One title: `code`\n[there](#one-title-code) ![not](nowhere.png)\n", encoding="utf-8")
    assert links(page) == ["#one-title-code", "nowhere.png"]
    assert anchors(page) == {"one-title-code"}
