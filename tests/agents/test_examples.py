"""Every script in examples/ runs over the sample notes."""

import importlib.util
from pathlib import Path

import pytest
from fakes import FakeEmbedder, FakeGenerator

from agents.workflow import EXAMPLES
from ingest import ingest
from rag.notebook import Notebook
from rag.settings import Settings

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "examples"
# What each script must print, whatever the model says.
WORDS = {
    "chain_of_thought.py": ["zero-shot: 10", "deep: 10", "votes"],
    "multi_hop.py": ["hop 1", "hop 3: searched 'RCG'", "answer"],
    "tools.py": ["(128+64)*3 = 576", "112", "2024-03-02"],
    "router.py": ["hop: compares", "tools: ", "cot: ", "refuse: ", "346"],
    "memory.py": ["last-n", "hybrid", "显存"],
    "optimize_prompt.py": ["contradiction: ", "fewshot: ", "-- 回答至少写五百字", "accepted 0 findings left"],
    "optimize_by_metric.py": ["only the answer: ", "validation 0.", "You sort short messages"],
    "workflows.py": ["mindmap", "markmap", "answer with verify"],
}

OF_THE_MODEL = {"chain_of_thought.py", "optimize_prompt.py", "optimize_by_metric.py"}


def load(name):
    spec = importlib.util.spec_from_file_location(f"example_{name.removesuffix('.py')}", SCRIPTS / name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    ingest([ROOT / "data" / "sample_notes"], folder / "index", settings=Settings(), embedder=FakeEmbedder())
    return folder / "index"


def test_every_script_is_listed_and_tested():
    scripts = {path.name for path in SCRIPTS.glob("*.py")}
    assert scripts == set(WORDS)
    readme = (SCRIPTS / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in readme for name in WORDS)
    assert set(load("workflows.py").INPUTS) == set(EXAMPLES)


@pytest.mark.parametrize("name", sorted(WORDS))
def test_the_script_runs(name, index, capsys):
    reply = "RCG 只认检索片段。\n答案：10"
    with Notebook(index, Settings(), generator=FakeGenerator(reply), embedder=FakeEmbedder()) as notebook:
        module = load(name)
        module.main(notebook.generator if name in OF_THE_MODEL else notebook)
    printed = capsys.readouterr().out
    for word in WORDS[name]:
        assert word in printed
