# One image for every role. BASE is any image with Python 3.11 or newer and its venv module.
ARG BASE=python:3.13-slim
FROM ${BASE} AS build
RUN python3 -m venv /opt/holdfast
WORKDIR /src
# Dependencies first: they change seldom, and this layer is then taken from the cache.
COPY pyproject.toml constraints.txt ./
RUN /opt/holdfast/bin/python -c "import tomllib; print('\n'.join(tomllib.load(open('pyproject.toml','rb'))['project']['dependencies']))" > /tmp/requirements.txt \
 && /opt/holdfast/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt -r /tmp/requirements.txt hatchling
COPY README.md LICENSE ./
COPY operator/src operator/src
COPY scenarios scenarios
RUN /opt/holdfast/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation . \
 && /opt/holdfast/bin/pip uninstall -q -y hatchling pip \
 && find /opt/holdfast -name tests -type d -prune -exec rm -rf {} +

FROM ${BASE}
COPY --from=build /opt/holdfast /opt/holdfast
# Kopf asks getpass for a user name, and uid 65532 has no passwd entry: without USER it dies.
ENV PATH=/opt/holdfast/bin:$PATH USER=holdfast PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
ENTRYPOINT ["holdfast"]
