"""schemathesis throws what fits the schema and what does not at every route, for a few seconds."""

import pytest
import schemathesis
from fakes import FakeEmbedder, FakeGenerator
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from rag.notebook import Notebook
from rag.settings import Settings
from ui.serve.app import create_app
from ui.serve.guard import access

KEY = "a-long-and-random-key-for-tests"
ROUTES = [
    ("GET", "/healthz"),
    ("GET", "/metrics"),
    ("GET", "/readyz"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/{name}"),
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/embeddings"),
    ("POST", "/v1/notes/ask"),
    ("POST", "/v1/notes/search"),
]
# A body of a megabyte is refused for its size before anything else.
REFUSALS = [400, 401, 403, 404, 405, 413, 415]
CONFIG = {
    "checks": {
        "negative_data_rejection": {"expected-statuses": REFUSALS},
        # Rules across fields and about words (a question needs one) are not in a JSON schema.
        "positive_data_acceptance": {"expected-statuses": ["2xx", 400, 404]},
    }
}
HEADERS = {"Authorization": f"Bearer {KEY}"}


@pytest.fixture(scope="module")
def api(index):
    generator = FakeGenerator("云杉网络共有 48 层。")
    with Notebook(index, Settings(), generator=generator, embedder=FakeEmbedder()) as notebook:
        # The first search loads word lists; schemathesis waits for ten seconds only.
        notebook.search("RAG")
        app = create_app(notebook, access("127.0.0.1", KEY, ["testserver"]))
        yield schemathesis.openapi.from_asgi("/openapi.json", app, config=schemathesis.Config.from_dict(CONFIG))


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_keeps_to_its_schema(api, method, path, mode):
    """Its statuses, content types and bodies are as described; what fits is taken, what does not is refused."""

    @given(case=api[path][method].as_strategy(generation_mode=mode))
    @settings(max_examples=8, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def check(case):
        case.call_and_validate(headers=HEADERS)

    try:
        check()
    except Unsatisfiable:
        # A route without parameters has no wrong ones.
        assert mode is GenerationMode.NEGATIVE
        assert method == "GET"


def test_no_route_is_left_out(api):
    found = {(one.ok().method.upper(), one.ok().path) for one in api.get_all_operations()}
    assert found == set(ROUTES)
