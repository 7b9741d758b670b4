"""Tokens (JWT) for tests: made with the openssl command, so that nothing of the broker makes what the broker reads."""
import base64
import json
import os
import re
import subprocess


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*arguments, input=None):
    return subprocess.run(["openssl", *arguments], input=input, capture_output=True, check=True).stdout


class Issuer:
    """An RSA and a P-256 key, their JWKS, and tokens signed with them."""

    def __init__(self, folder, iss="https://issuer.test"):
        self.folder, self.iss = str(folder), iss
        os.makedirs(self.folder, exist_ok=True)
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.path("rsa.key"))
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self.path("ec.key"))
        self.jwks = self.path("jwks.json")
        self.write_jwks()

    def path(self, name):
        return os.path.join(self.folder, name)

    def rsa_jwk(self, kid="r1"):
        text = openssl("rsa", "-in", self.path("rsa.key"), "-noout", "-modulus").decode()
        return {"kty": "RSA", "kid": kid, "use": "sig", "n": b64(bytes.fromhex(text.split("=")[1].strip())), "e": "AQAB"}

    def ec_jwk(self, kid="e1"):
        text = openssl("ec", "-in", self.path("ec.key"), "-noout", "-text").decode()
        point = bytes.fromhex(re.sub(r"[\s:]", "", re.search(r"pub:\n([\s0-9a-f:]+)", text).group(1)))
        return {"kty": "EC", "crv": "P-256", "kid": kid, "x": b64(point[1:33]), "y": b64(point[33:])}

    def write_jwks(self, keys=None):
        with open(self.jwks, "w", encoding="utf-8") as f:
            json.dump({"keys": keys if keys is not None else [self.rsa_jwk(), self.ec_jwk()]}, f)

    def sign(self, alg, data):
        path = self.path("data")
        with open(path, "wb") as f:
            f.write(data)
        key = self.path("ec.key" if alg.startswith("ES") else "rsa.key")
        more = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:-1"] if alg.startswith("PS") else []
        signature = openssl("dgst", "-sha256", "-sign", key, *more, path)
        if not alg.startswith("ES"):
            return signature
        numbers = re.findall(rb"INTEGER\s+:([0-9A-F]+)", openssl("asn1parse", "-inform", "DER", input=signature))
        return b"".join(bytes.fromhex(n.decode()).rjust(32, b"\0") for n in numbers)

    def token(self, claims, alg="RS256", header=None, signature=None):
        head = {"alg": alg, "typ": "JWT", "kid": "e1" if alg.startswith("ES") else "r1", **(header or {})}
        head = {k: v for k, v in head.items() if v is not None}
        data = b64(json.dumps(head).encode()) + "." + b64(json.dumps(claims).encode())
        return data + "." + b64(self.sign(alg, data.encode()) if signature is None else signature(data.encode()))
