"""The page ``/evals``; run by Streamlit at every visit, so nothing is imported for pages that nobody opens."""

from ui.evals_page import show

show()
