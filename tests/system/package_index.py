"""A package index of the tests' own, on the loopback interface: wheels made
here, served as PEP 503 has it, with faults on demand."""

import base64
import hashlib
import http.server
import io
import threading
import zipfile


def make_wheel(name, version="1", files=None, requires=()):
    """The bytes of a wheel of one module, or of `files` {path: text}."""
    files = dict(files or {f"{name}.py": f"version = {version!r}\n"})
    info = f"{name}-{version}.dist-info"
    files[f"{info}/METADATA"] = "".join(
        [
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            *(f"Requires-Dist: {need}\n" for need in requires),
        ]
    )
    files[f"{info}/WHEEL"] = (
        "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n"
    )
    files[f"{info}/RECORD"] = record(files, f"{info}/RECORD")
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return target.getvalue()


def record(files, own):
    lines = [f"{own},,"]
    for path, text in files.items():
        digest = hashlib.sha256(text.encode()).digest()
        code = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        lines.append(f"{path},sha256={code},{len(text.encode())}")
    return "\n".join(lines) + "\n"


class Index:
    """Serves what was added; a `with` block is its life."""

    def __init__(self):
        self.wheels = {}  # file name: bytes
        self.cut = set()  # file names that are sent by half
        self.before_wheel = lambda name: None  # called before one is sent
        handler = type("Handler", (Handler,), {"index": self})
        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), handler
        )
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.thread.is_alive():
            self.server.shutdown()
            self.thread.join()
        self.server.server_close()

    @property
    def environment(self):
        """What has pip use it, and no other."""
        port = self.server.server_address[1]
        return {
            "PIP_CONFIG_FILE": "/dev/null",
            "PIP_INDEX_URL": f"http://127.0.0.1:{port}/simple/",
            "PIP_RETRIES": "1",
            "PIP_NO_CACHE_DIR": "1",
        }

    def add(self, name, version="1", **keywords):
        """Adds a wheel; its line for a lock file."""
        wheel = make_wheel(name, version, **keywords)
        self.wheels[f"{name}-{version}-py3-none-any.whl"] = wheel
        digest = hashlib.sha256(wheel).hexdigest()
        return f"{name}=={version} --hash=sha256:{digest}\n"


class Handler(http.server.BaseHTTPRequestHandler):
    index = None

    def log_message(self, *_):
        """Nothing: a test's output is its own."""

    def do_GET(self):
        name = self.path.rstrip("/").rpartition("/")[2]
        if self.path.startswith("/simple/"):
            self.send_page(name)
        elif name in self.index.wheels:
            self.send_wheel(name)
        else:
            self.send_error(404)

    def send_page(self, project):
        links = [
            f'<a href="/files/{name}#sha256='
            f'{hashlib.sha256(wheel).hexdigest()}">{name}</a>'
            for name, wheel in self.index.wheels.items()
            if name.partition("-")[0].replace("_", "-") == project
        ]
        if not links:
            self.send_error(404)
            return
        page = f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>"
        self.send_bytes("text/html", page.encode())

    def send_wheel(self, name):
        self.index.before_wheel(name)
        wheel = self.index.wheels[name]
        sent = len(wheel) // 2 if name in self.index.cut else len(wheel)
        self.send_bytes("application/octet-stream", wheel, sent)

    def send_bytes(self, kind, content, sent=None):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        try:
            self.wfile.write(content[:sent])
        except ConnectionError:
            return  # who asked was killed
