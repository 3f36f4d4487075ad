"""The agent: a Celery worker that serves node queues. It has no database and imports no Django."""
