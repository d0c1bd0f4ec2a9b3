# One image for every role. BASE is any image with Python 3.11 or newer and its venv module.
ARG BASE=python:3.13-slim

# Dependencies change seldom: a layer of their own, taken from the cache and seldom loaded again.
FROM ${BASE} AS dependencies
RUN python3 -m venv /opt/dependencies
WORKDIR /src
COPY pyproject.toml constraints.txt ./
RUN /opt/dependencies/bin/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" > /tmp/requirements.txt \
 && /opt/dependencies/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt -r /tmp/requirements.txt \
 && find /opt/dependencies -name tests -type d -prune -exec rm -rf {} +

FROM dependencies AS build
RUN /opt/dependencies/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt hatchling
COPY README.md LICENSE ./
COPY operator/src operator/src
COPY scenarios scenarios
COPY crds crds
RUN /opt/dependencies/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation --target /opt/holdfast .

FROM ${BASE}
COPY --from=dependencies /opt/dependencies /opt/dependencies
COPY --from=build /opt/holdfast /opt/holdfast
# Kopf asks getpass for a user name, and uid 65532 has no passwd entry: without USER it dies.
ENV PATH=/opt/holdfast/bin:/opt/dependencies/bin:$PATH PYTHONPATH=/opt/holdfast \
    USER=holdfast PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
ENTRYPOINT ["holdfast"]
