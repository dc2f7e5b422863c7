"""The workflows that are shipped: answer with verify, compare two terms, mind map of a term."""

from importlib import resources

from agents.workflow.model import Spec
from agents.workflow.read import WorkflowError, parse_workflow

EXAMPLES = ("answer_verify", "compare_terms", "mind_map")


def example(name: str) -> Spec:
    """A shipped workflow by name.

    Raises:
        WorkflowError: there is none of that name.
    """
    if name not in EXAMPLES:
        raise WorkflowError(f"There is no workflow {name!r}. Shipped are: {', '.join(EXAMPLES)}.")
    return parse_workflow(resources.files(__package__).joinpath(f"{name}.yaml").read_text(encoding="utf-8"))
