"""What ``streamlit run`` executes; ``mingbai chat`` starts it."""

from ui.shell import run

run()
