"""The page ``/agents``; run by Streamlit at every visit, so nothing is imported for pages that nobody opens."""

from ui.agents_page import show

show()
