"""Certificates made with openssl: authorities, servers, clients, lists of revocations. Short-lived, for tests only."""
import os
import ssl
import subprocess


def openssl(*arguments, cwd=None, input=None):
    done = subprocess.run(["openssl", *arguments], cwd=cwd, input=input, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, (arguments, done.stderr)
    return done.stdout


class Authority:
    """A folder with an authority in it; everything it signs lands there: NAME.pem, NAME.key."""

    def __init__(self, folder, name="ca"):
        self.folder, self.name = str(folder), name
        os.makedirs(self.folder, exist_ok=True)
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                "-subj", f"/CN=oudp test {name}", "-keyout", self.path(name, "key"), "-out", self.path(name),
                "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        self.write("index.txt", "")
        self.write("crlnumber", "01\n")
        self.write("ca.cnf", "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ncrlnumber=crlnumber\n"
                             f"certificate={name}.pem\nprivate_key={name}.key\ndefault_md=sha256\n"
                             "default_crl_days=10\n")

    def path(self, name, kind="pem"):
        return os.path.join(self.folder, f"{name}.{kind}")

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as f:
            f.write(text)

    def sign(self, name, cn=None, san=None, days=20, rsa=0):
        """Gives the paths of certificate and key. days -1: it has expired."""
        key = ["rsa", "-pkeyopt", f"rsa_keygen_bits:{rsa}"] if rsa else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        openssl("req", "-newkey", *key, "-nodes", "-subj", f"/CN={cn or name}", "-keyout", self.path(name, "key"),
                "-out", self.path(name, "csr"))
        self.write(f"{name}.ext", f"subjectAltName={san}\n" if san else "basicConstraints=CA:FALSE\n")
        openssl("x509", "-req", "-in", self.path(name, "csr"), "-CA", self.path(self.name), "-CAkey",
                self.path(self.name, "key"), "-CAcreateserial", "-days", str(days), "-out", self.path(name),
                "-extfile", self.path(name, "ext"))
        return self.path(name), self.path(name, "key")

    def revoke(self, *names):
        """The list of revocations with these in it; gives its path."""
        for n in names:
            openssl("ca", "-config", "ca.cnf", "-revoke", f"{n}.pem", cwd=self.folder)
        openssl("ca", "-config", "ca.cnf", "-gencrl", "-out", self.path("list", "crl"), cwd=self.folder)
        return self.path("list", "crl")

    def context(self, client=None):
        """For a client that trusts this authority."""
        c = ssl.create_default_context(cafile=self.path(self.name))
        if client:
            c.load_cert_chain(self.path(client), self.path(client, "key"))
        return c
