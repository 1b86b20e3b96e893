"""Found first on PYTHONPATH by every Python a test starts: whoever asks for the network is written down, and refused."""

import os
import sys

NETWORK = (
    "socket.connect",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "socket.bind",
    "socket.sendto",
    "urllib.Request",
)


def refuse(event, arguments):
    if event not in NETWORK:
        return
    family = getattr(arguments[0], "family", None) if arguments else None
    if family is not None and family.name == "AF_UNIX":
        return
    with open(os.environ["NETWORK_GUARD"], "a") as file:
        file.write(f"{event} {arguments[1:]}\n")
    raise ConnectionRefusedError(f"{event}: a test forbids the network")


sys.addaudithook(refuse)
