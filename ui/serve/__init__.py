"""The API: an OpenAI-compatible server and the notes behind it. Read gate.py, guard.py, app.py in this order."""
