"""The server's own document in the hands of schemathesis: no answer that is a fault of the server, none the document lacks."""

import subprocess
import sys
from pathlib import Path

from nightly import examples
from served import KEY

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def test_no_request_that_the_document_gives_rise_to_is_a_fault_of_the_server(server, tmp_path):
    command = [
        Path(sys.executable).with_name("schemathesis"), "run", f"http://127.0.0.1:{server.port}/openapi.json",
        "--header", f"Authorization: Bearer {KEY}", "--checks", CHECKS, "--max-examples", str(examples(4, 400)),
        "--seed", "0", "--phases", "coverage,fuzzing", "--suppress-health-check", "all", "--workers", "1",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "/v1/models/pair/suggest" in server.ask("GET", "/openapi.json")[2]["paths"]
