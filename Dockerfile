# One image for every process of the system; docker-compose.yml says which is which.
# Debian's name keeps a rebuild on the same system; `docker build --pull` brings its corrections.
FROM python:3.11-slim-bookworm

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

RUN useradd --create-home --uid 1000 fuelweb && install --directory --owner fuelweb --mode 700 /state
WORKDIR /app

COPY requirements.txt .
RUN pip install -r requirements.txt

COPY manage.py ./
COPY fuelweb fuelweb
COPY deployments deployments
COPY history history
COPY examples examples

USER fuelweb
ENV FUELWEB_HOME=/state DJANGO_SETTINGS_MODULE=fuelweb.settings
EXPOSE 8000
CMD ["gunicorn", "fuelweb.wsgi", "--bind", "0.0.0.0:8000", "--threads", "8", "--no-control-socket"]
