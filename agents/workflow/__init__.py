"""Workflows: a YAML file of nodes, checked as a whole, compiled to a LangGraph graph and run with limits and a trace.

from agents.workflow import load_workflow, Workflow, example
"""

from agents.workflow.examples import EXAMPLES, example
from agents.workflow.model import Spec
from agents.workflow.read import WorkflowError, load_workflow, parse_workflow
from agents.workflow.run import Workflow, WorkflowResult

__all__ = [
    "EXAMPLES",
    "Spec",
    "Workflow",
    "WorkflowError",
    "WorkflowResult",
    "example",
    "load_workflow",
    "parse_workflow",
]
