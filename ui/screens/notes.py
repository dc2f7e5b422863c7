"""The page ``/notes``; run by Streamlit at every visit, so nothing is imported for pages that nobody opens."""

from ui.notes_page import show

show()
