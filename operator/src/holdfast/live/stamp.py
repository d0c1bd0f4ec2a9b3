"""Wall-clock time as Kubernetes writes it."""

from datetime import UTC, datetime


def rfc3339() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
