"""Three processes that watch one another, forked after the imports: python watched.py RANK SIGNAL

RANK gets the signal once all have been heard of; -1: the store goes instead. Prints the exit codes of the others.
"""

import os
import signal
import sys
import time
from datetime import timedelta

from torch.distributed import TCPStore

from electra.torch.heartbeat import Heartbeat

SIZE, SILENCE, BEAT = 3, 1.5, 0.1


def main():
    victim, number = int(sys.argv[1]), int(sys.argv[2])
    os.environ["MASTER_ADDR"] = "127.0.0.1"
    port, child_port = os.pipe()
    store = os.fork()
    if store == 0:
        held = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=5))
        os.write(child_port, str(held.port).encode())
        while True:
            time.sleep(60)
    os.environ["MASTER_PORT"] = os.read(port, 10).decode()
    children = []
    for rank in range(SIZE):
        child = os.fork()
        if child == 0:
            heartbeat = Heartbeat(rank, SIZE, silence=SILENCE, beat=BEAT)
            heartbeat.start()
            while True:
                time.sleep(60)
        children.append(child)
    time.sleep(2 * SILENCE)  # nobody ends while all are heard of
    assert os.waitpid(-1, os.WNOHANG) == (0, 0)
    os.kill(store if victim < 0 else children[victim], number)
    others = [child for rank, child in enumerate(children) if rank != victim]
    print(*(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in others))
    for left in {store, *children} - set(others):
        os.kill(left, signal.SIGKILL)


if __name__ == "__main__":
    main()
