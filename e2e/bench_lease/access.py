"""An ordinary ServiceAccount's way to the API server: what is measured is measured as one, for
administrators escape the API server's flow control."""

import base64
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e.bench.ground import ACCOUNT
from e2e.cluster_tools import kubectl
from holdfast.live.api import Api, Json, configuration

LEASES = ["dropletleases", "rackleases"]
RULES: list[Json] = [{"apiGroups": ["holdfast.dev"], "resources": LEASES, "verbs": ["*"]}]
ROLE = "bench-leases"


@dataclass(frozen=True, slots=True)
class Access:
    """`authority` and `kubeconfig` are files, there for as long as the access is."""

    host: str
    token: str
    authority: Path
    kubeconfig: Path


@contextmanager
def access(space: str) -> Iterator[Access]:
    """As the account `bench` of a namespace."""
    raw: Json = json.loads(kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    cluster = raw["clusters"][0]["cluster"]
    token = kubectl("create", "token", ACCOUNT, "-n", space, "--duration=6h").strip()
    raw["users"] = [{"name": ACCOUNT, "user": {"token": token}}]
    raw["contexts"][0]["context"]["user"] = ACCOUNT
    with tempfile.TemporaryDirectory() as folder:
        authority, kubeconfig = Path(folder) / "ca.crt", Path(folder) / "config.json"
        authority.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
        kubeconfig.write_text(json.dumps(raw))
        yield Access(cluster["server"], token, authority, kubeconfig)


@asynccontextmanager
async def client(of: Access) -> AsyncIterator[Api]:
    """The operator's own client, as in a Pod: no proxy is looked for, which would cost every call a
    thread."""
    plain = await configuration(str(of.kubeconfig))
    plain.client_session_kwargs = {"trust_env": False}
    api = Api(plain, ACCOUNT)
    try:
        yield api
    finally:
        await api.close()


async def may_use_leases(admin: Api, space: str) -> None:
    """Let the account `bench` of a namespace do with leases there what it likes; made if it is not
    there."""
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{space}"
    account: Json = {"metadata": {"name": ACCOUNT}, "automountServiceAccountToken": False}
    await admin.ensure(f"/api/v1/namespaces/{space}/serviceaccounts", account)
    await admin.ensure(f"{rbac}/roles", {"metadata": {"name": ROLE}, "rules": RULES})
    binding: Json = {
        "metadata": {"name": ROLE},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ROLE},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": space}],
    }
    await admin.ensure(f"{rbac}/rolebindings", binding)
