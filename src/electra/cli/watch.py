"""electra watch: the curves of a run in a browser, while it trains."""

from pathlib import Path

import tyro


def watch(run: tyro.conf.Positional[Path], *, port: int = 8001) -> int:
    """Show the curves of a run on a page of this machine, while it trains. Only the run's own files are read.

    Args:
        run: folder of a run of electra pretrain, under way or finished
        port: 0: any that is free
    """
    from electra.serving.watch import watch as serve_page

    return serve_page(run, port)


def main(words: list[str]) -> int:
    """Returns 0."""
    return tyro.cli(watch, args=words, prog="electra watch")
