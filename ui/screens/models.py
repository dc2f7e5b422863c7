"""The page ``/models``; run by Streamlit at every visit, so nothing is imported for pages that nobody opens."""

from ui.models_page import show

show()
