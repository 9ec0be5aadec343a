"""A broker with a door that asks who is there: TLS, users with passwords (SCRAM and PLAIN), and rights (ACLs).

The plain listener stays open beside it, for the test's own administration.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType

from tests.e2e.broker import Broker, Unavailable, free_port, jars

PASSWORDS = {"reader": "right-horse", "nobody": "right-mule"}


@dataclass
class Guarded:
    """The broker and what a client needs to know of it.

    Attributes:
        broker: its plain listener; everything is allowed there.
        secure: ``host:port`` of the listener with TLS and passwords.
        folder: holds ``ca.pem`` (the broker's own authority), ``other.pem`` (another one) and ``reader.password``.
    """

    broker: Broker
    secure: str
    folder: Path

    @classmethod
    def start(cls, folder: Path) -> Guarded:
        """Makes certificates and users, and starts it.

        Raises:
            Unavailable: Java, Maven or OpenSSL is missing.
        """
        jars()
        if shutil.which("openssl") is None:
            raise Unavailable("needs openssl (on Debian: apt install openssl)")
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("ca", "other"):
            _certificate(folder, name)
        for user, password in PASSWORDS.items():
            (folder / f"{user}.password").write_text(password + "\n", encoding="utf-8")
        port = free_port()
        outside = f"PLAINTEXT://127.0.0.1:{{port}},GUARDED://127.0.0.1:{port}"
        users = " ".join(f'user_{user}="{password}"' for user, password in PASSWORDS.items())
        plain = f"org.apache.kafka.common.security.plain.PlainLoginModule required {users};"
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        properties = {
            "listeners": f"{outside},CONTROLLER://127.0.0.1:{{controller}}",
            "advertised.listeners": outside,
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,GUARDED:SASL_SSL",
            "listener.name.guarded.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
            "listener.name.guarded.plain.sasl.jaas.config": plain,
            "listener.name.guarded.scram-sha-512.sasl.jaas.config": scram,
            "listener.name.guarded.ssl.keystore.location": "{folder}/../ca.keystore.pem",
            "listener.name.guarded.ssl.keystore.type": "PEM",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }
        scrams = [f"SCRAM-SHA-512=[name={user},password={password}]" for user, password in PASSWORDS.items()]
        options = [word for one in scrams for word in ("--add-scram", one)]
        broker = Broker.start(folder / "broker", properties, options)
        return cls(broker, f"127.0.0.1:{port}", folder)

    def settings(self, user: str = "reader", mechanism: str = "SCRAM-SHA-512", **more: Any) -> dict[str, Any]:
        """A consumer's settings that get in."""
        return {
            "bootstrap.servers": self.secure,
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": mechanism,
            "sasl.username": user,
            "sasl.password_file": str(self.folder / f"{user}.password"),
            "ssl.ca.location": str(self.folder / "ca.pem"),
            **more,
        }

    def allow(self, user: str, kind: ResourceType, name: str, *operations: ACLOperation) -> None:
        """Gives rights to a user."""
        with KafkaAdminClient(bootstrap_servers=self.broker.bootstrap) as admin:
            resource = ResourcePattern(kind, name)
            admin.create_acls([ACL(f"User:{user}", "*", one, ACLPermissionType.ALLOW, resource) for one in operations])


def _certificate(folder: Path, name: str) -> None:
    """A certificate in ``name.pem`` that vouches for itself, and with its key in ``name.keystore.pem``."""
    key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
    what = [
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
        "-subj",
        f"/CN={name}",
    ]
    where = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    done = subprocess.run(["openssl", "req", *what, *where], check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"openssl: {done.stdout}{done.stderr}")
    (folder / f"{name}.keystore.pem").write_bytes(key.read_bytes() + certificate.read_bytes())
