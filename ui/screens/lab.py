"""The page ``/lab``; run by Streamlit at every visit, so nothing is imported for pages that nobody opens."""

from ui.lab_page import show

show()
