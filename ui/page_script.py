"""The one script of the pages: our own words, no text of notes or models. It draws formulas and copies links."""

import json
import re
from functools import cache
from pathlib import Path

import streamlit as st

_SCRIPT = Path(__file__).parent / "style" / "page.js"
# Streamlit draws its own formulas with KaTeX and ships it as a module of its own, whose name holds a hash.
_KATEX = re.compile(r"katex\.[\w-]+\.js")


@cache
def katex_module() -> str:
    """The file name of Streamlit's KaTeX, beside its main script; "" where this version has none."""
    folder = Path(st.__file__).parent / "static" / "static" / "js"
    return next((path.name for path in sorted(folder.glob("katex.*.js")) if _KATEX.fullmatch(path.name)), "")


@cache
def source() -> str:
    """The script as an element."""
    name = katex_module()
    address = json.dumps(f"./{name}" if name else "")
    return f"<script>{{ const KATEX = {address};\n{_SCRIPT.read_text(encoding='utf-8')}}}</script>"


def show() -> None:
    """Put the script on the page; it runs once in a window."""
    with st.container(key="mb-script"):
        st.html(source(), unsafe_allow_javascript=True)
