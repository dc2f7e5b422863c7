"""Typed tools and the agent that calls them: calculator, tensor shapes, calendar, and the user's notes as data.

from agents.tools import ToolAgent, computing_tools, note_tools
"""

from agents.tools.agent import ToolAgent, ToolResult
from agents.tools.base import AnyTool, Arguments, Output, Tool, Toolbox, ToolCall, ToolError
from agents.tools.calculator import calculate
from agents.tools.compute import computing_tools
from agents.tools.notes import note_tools

__all__ = [
    "AnyTool",
    "Arguments",
    "Output",
    "Tool",
    "ToolAgent",
    "ToolCall",
    "ToolError",
    "ToolResult",
    "Toolbox",
    "calculate",
    "computing_tools",
    "note_tools",
]
