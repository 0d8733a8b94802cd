"""The WSGI application: gunicorn and `flask run` both find `app` here."""

from advisor.web import create_app

app = create_app()
