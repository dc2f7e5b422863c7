"""The page ``/compare``; run by Streamlit at every visit, so nothing is imported for pages that nobody opens."""

from ui.compare_page import show

show()
