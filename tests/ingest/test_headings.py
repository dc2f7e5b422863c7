import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.headings import clean, parse


@pytest.mark.parametrize(
    ("heading", "title", "aliases"),
    [
        ("火星车(rover)", "火星车", {"rover"}),
        ("火星车（rover，探测车、漫游车）", "火星车", {"rover", "探测车", "漫游车"}),
        ("Rover（Red Planet Walker）：火星车", "Rover", {"Red Planet Walker", "火星车"}),
        ("火星车(Mars-Rover，MR）)", "火星车", {"Mars-Rover", "MR"}),
        ("火星车(Mars Rover", "火星车", {"Mars Rover"}),
        ("火星车（Mars Rover）：  ", "火星车", {"Mars Rover"}),
        ("火星车(mars rover,简称 MaRo, MR)", "火星车", {"mars rover", "MaRo", "MR"}),
        ("火星车（Mars rover，缩写为MR）", "火星车", {"Mars rover", "MR"}),
        ("火星车（在手册中通常叫作 rover ）", "火星车", {"rover"}),
        ("火星车(rover)或漫游车(walker)", "火星车", {"rover", "漫游车", "walker"}),
        ("升空(launch)和着陆(landing)", "升空和着陆", {"升空", "着陆", "launch", "landing"}),
        ("RoverA和RoverB", "RoverA和RoverB", {"RoverA", "RoverB"}),
        (
            "火星车rover，也称为漫游车（MR）、探测车（probe）",
            "火星车rover",
            {"火星车", "漫游车", "MR", "探测车", "probe"},
        ),
        ("着陆(摇篮)（cradle landing）", "着陆", {"摇篮", "cradle landing"}),
        ("精(确)度", "精度", {"确度"}),
        ("Rover(MR)模型,漫游模型", "Rover模型", {"Rover", "MR", "漫游模型"}),
        ("Rover 模型", "Rover 模型", {"Rover"}),
        ("RV/MR", "RV/MR", {"RV", "MR"}),
        ("rover.run()", "rover.run()", {"rover.run"}),
        ("Uniﬁed　Ｒｏｖｅｒ", "Unified Rover", set()),
        ("**火星车**(`rover`)", "火星车", {"rover"}),
        ("[火星车](https://example.org/rover)", "火星车", set()),
        ("2.1 火星车", "火星车", set()),
        ("三、火星车", "火星车", set()),
        ("3D 火星图", "3D 火星图", set()),
        ("车速 3:1 比例", "车速 3:1 比例", set()),
        ("Stop, look and listen", "Stop, look and listen", set()),
        ("火星车怎样转弯？", "火星车怎样转弯?", set()),
        ("它走得慢，所以很省电了", "它走得慢,所以很省电了", set()),
        ("饱和度(saturation)", "饱和度", {"saturation"}),
        ("火星(类)", "火星", set()),
        ("火星车(a)", "火星车", set()),
        ("循环层(loop layer,比如某库的 Loop 层)", "循环层", {"loop layer"}),
        ("", "", set()),
        ("（）", "()", set()),
    ],
)
def test_titles_and_aliases(heading, title, aliases):
    names = parse(heading)
    assert names.title == title
    whole = {clean(heading)} - {title}
    assert set(names.aliases) - whole == aliases
    if names.aliases:
        assert whole <= set(names.aliases)


def test_names_that_differ_only_in_case_or_marks_stay_different():
    titles = {parse(heading).title for heading in ("R-Tuning", "R-tuning", "RTL-int8", "RTL.int8()")}
    assert len(titles) == 4


@given(st.text(st.sampled_from("甲乙丙abC1 ()（）[]，,、；：:/和或即“”*`#.。\0\x01"), max_size=40))
def test_aliases_are_words_and_never_repeat(heading):
    names = parse(heading)
    assert len(set(names.aliases)) == len(names.aliases)
    assert names.title not in names.aliases
    for alias in names.aliases:
        assert any(character.isalnum() for character in alias)
        assert alias == alias.strip()
        assert unicodedata.normalize("NFKC", alias) == alias


@given(st.text(max_size=80))
def test_any_heading_can_be_parsed(heading):
    names = parse(heading)
    assert "\n" not in names.title
