"""Scenario files, and what is said of one that will not do."""

from importlib import resources
from pathlib import Path

import yaml

from holdfast.core.document import Json
from holdfast.core.names import API_GROUP, API_VERSION

API = f"{API_GROUP}/{API_VERSION}"


class ForPeople(Exception):
    """Something a person can mend: the message says what and how."""


def read_scenario(name: str) -> Json:
    """A Scenario from a file, or one of those in the package. ForPeople if it is none."""
    path = Path(name)
    packaged = resources.files("holdfast") / "scenarios" / f"{name}.yaml"
    checkout = Path(__file__).parents[4] / "scenarios" / f"{name}.yaml"
    if path.is_file():
        text = path.read_text()
    elif packaged.is_file():
        text = packaged.read_text()
    elif checkout.is_file():
        text = checkout.read_text()
    else:
        raise ForPeople(f"{name}: no such file, and no Scenario of that name comes with holdfast")
    try:
        documents = [d for d in yaml.safe_load_all(text) if d]
    except yaml.YAMLError as error:
        raise ForPeople(f"{name}: not YAML: {error}") from error
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise ForPeople(f"{name}: one Scenario is wanted, {len(documents)} documents are there")
    document: Json = documents[0]
    if document.get("apiVersion") != API:
        raise ForPeople(f"{name}: apiVersion is {document.get('apiVersion')!r}, not {API!r}")
    if document.get("kind") != "Scenario":
        raise ForPeople(f"{name}: kind is {document.get('kind')!r}, not 'Scenario'")
    if not (document.get("metadata") or {}).get("name"):
        raise ForPeople(f"{name}: metadata.name is missing")
    return document
