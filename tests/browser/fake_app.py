"""The app with models that always answer the same; what ``streamlit run`` executes in browser tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from fake_model import ScriptedGenerator
from fakes import FakeEmbedder

from rag import build
from ui.shell import run

if not hasattr(build, "scripted"):
    build.scripted = generator = ScriptedGenerator("", yes=0.99)
    build.make_generator = lambda _: generator
    build.make_embedder = lambda _: FakeEmbedder()

run()
