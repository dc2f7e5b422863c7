"""The first page; run by Streamlit at every visit, so nothing is imported for pages that nobody opens."""

from ui.chat_page import show

show()
