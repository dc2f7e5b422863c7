"""The benchmark's own parts: samples in turn, rows that are kept, the table; and two rows run for real, small."""

import json
from xml.etree import ElementTree

import pytest
import tiny_model

from evals.bench import engine_rows, passage_rows, plot, run, search_rows
from evals.bench.child import Child
from evals.bench.figures import Figure, Ledger, Row, alternate, block, spread, table
from evals.bench.scene import Scene
from rag import catalogue
from rag.errors import EngineError, UsageError
from rag.settings import Settings


def test_samples_are_taken_in_turn_and_neither_always_comes_first():
    order = []
    pair = alternate(lambda: order.append("a") or 1.0, lambda: order.append("b") or 3.0, 4)
    assert "".join(order) == "abbaabba"
    assert (pair.ours, pair.theirs, pair.ratio) == ((1.0,) * 4, (3.0,) * 4, 3.0)
    assert spread((3.0, 1.0, 2.0), "{:.0f}", " s") == "2 (1 to 3) s"


def test_rows_are_kept_and_not_run_again(tmp_path, monkeypatch):
    ran = []

    def row(name):
        return lambda scene: ran.append(name) or [Figure(name, "1 s", "once", "≤ 2 s", True, {"ours": [1.0]})]

    class FakeScene:
        closed = 0

        def close(self):
            FakeScene.closed += 1

    def fails(scene):
        raise EngineError("it broke")

    monkeypatch.setattr(run, "ROWS", {"one": row("one"), "broken": fails, "two": row("two")})
    path = tmp_path / "bench.json"
    with pytest.raises(EngineError):
        run.measure(["one", "broken", "two"], Ledger(path), FakeScene, lambda step: None)
    rows = run.measure(["one", "two"], Ledger(path), FakeScene, lambda step: None)
    assert (ran, FakeScene.closed) == (["one", "two"], 2)
    assert [row.name for row in rows] == ["one", "two"]
    assert run.measure(["one"], Ledger(path), FakeScene, lambda step: None) == rows
    assert FakeScene.closed == 2, "nothing was opened"
    with pytest.raises(UsageError, match=r"no row 'three'.*one, broken, two"):
        run.measure(["three"], Ledger(path), FakeScene, lambda step: None)


def test_figures_of_another_machine_do_not_count(tmp_path):
    path = tmp_path / "bench.json"
    Ledger(path).keep(Row.now("one", [Figure("a", "b", "c")]))
    assert list(Ledger(path).rows) == ["one"]
    content = json.loads(path.read_text())
    content["machine"]["processor"] = "another"
    path.write_text(json.dumps(content))
    assert not Ledger(path).rows


def test_the_table_says_what_was_missed():
    rows = [
        Row.now("one", [Figure("a", "1", "x", "≥ 2", False), Figure("b", "3", "y", "≥ 2", True), Figure("c", "4", "z")])
    ]
    assert [cells[2] for cells in table(rows).rows] == ["≥ 2: missed", "≥ 2: reached", "–"]
    assert "No GPU row was run" in block(rows, "`notes`")


def test_a_yardstick_that_ends_says_how(tmp_path):
    with pytest.raises(EngineError, match=r"bare_llama\.py ended with (exit code|signal)"), Child("bare_llama.py", "x"):
        pass


@pytest.fixture
def scene(tmp_path, monkeypatch):
    """A scene over the tiny model and a note."""
    monkeypatch.setenv("MINGBAI_CATALOGUE", str(tmp_path / "models.toml"))
    monkeypatch.setenv("MINGBAI_MODELS_DIR", str(tmp_path / "models"))
    catalogue.add(tiny_model.write(tmp_path / "tiny.gguf"), model_id="tiny")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.md").write_text("### 云杉\n云杉网络共有 48 层。\n" * 40, encoding="utf-8")
    settings = Settings.model_validate(
        {"models": {"generator": "tiny"}, "engine": {"threads": 1, "context_size": 8192}}
    )
    made = Scene(tmp_path / "notes", settings, lambda step: None)
    yield made
    made.close()


@pytest.mark.parametrize("row", ["decode", "prefill", "overhead", "follow-up", "grading", "users"])
def test_engine_rows_run_on_any_model(scene, monkeypatch, row):
    for name, value in (
        ("REPEATS", 2),
        ("DECODED", 4),
        ("_BANDWIDTH_BYTES", 1_000_000),
        ("PASSAGES_CHARS", 300),
        ("GRADED_CHARS", 100),
    ):
        monkeypatch.setattr(engine_rows, name, value)
    for figure in run.ROWS[row](scene):
        assert figure.must
        assert figure.reached is not None
        assert min(min(samples) for samples in figure.samples.values()) > 0


def test_the_lexical_row_holds_both_to_equal_scores(scene, monkeypatch):
    monkeypatch.setattr(search_rows, "CHUNKS", 300)
    (figure,) = search_rows.lexical(scene)
    assert len(figure.samples["ours"]) == len(figure.samples["theirs"]) == 7
    with pytest.raises(AssertionError, match="in rank_bm25"):
        ours = search_rows.PostingsIndex.build([["a"], ["b"], ["c", "c"]])
        theirs = search_rows.RankBM25Index.build([["a"], ["b"], ["c", "a"]])
        search_rows._check_equal(ours, theirs, ["c"])


def test_known_passages_are_timed_at_each_point_of_the_curve(scene):
    figures = run.ROWS["passages"](scene)
    assert len(figures) == len(passage_rows.POINTS)
    assert [figure.reached is None for figure in figures] == [True, False, True]
    assert all(len(samples) == passage_rows.REPEATS for figure in figures for samples in figure.samples.values())


def test_the_picture_shows_every_sample_beside_the_median_it_is_compared_with():
    figures = (
        Figure("<fast> & so on", "2 ×", "how", samples={"ours": [0.1, 0.2], "theirs": [1.0, 2.0, 3.0]}),
        Figure("alone", "1", "how", samples={"ours": [1.0]}),
        Figure("off the scale", "1", "how", samples={"ours": [1e-9], "theirs": [1.0]}),
    )
    drawn = plot.plot([Row.now("one", figures)])
    root = ElementTree.fromstring(drawn)  # noqa: S314 - our own
    dots = [(dot.get("class"), float(dot.get("cx"))) for dot in root.iter("{http://www.w3.org/2000/svg}circle")]
    assert [kind for kind, _ in dots] == ["theirs"] * 3 + ["ours"] * 2 + ["theirs", "ours"]
    middle = dots[1][1]
    assert dots[3][1] < dots[4][1] < dots[0][1] < middle < dots[2][1]
    assert dots[5][1] == middle
    assert dots[6][1] == plot.LABELS
    assert "&lt;fast&gt; &amp; so on" in drawn
    assert plot.plot([Row.now("one", figures[1:2])]) == ""
