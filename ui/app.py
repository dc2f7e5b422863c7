"""What ``streamlit run`` executes; ``mingbai chat`` starts it."""

from ui.chat_page import show

show()
