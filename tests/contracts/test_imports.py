"""Each framework works alone: the others are not imported, and asking for one that is not installed names the command."""

import subprocess
import sys

import pytest

from electra.heads import HEADS, PREFIXES

PACKAGES = {"torch": ["torch"], "tf": ["tensorflow", "keras"], "flax": ["flax", "jax", "jaxlib"]}

# argv: names of packages that are not to be had, joined by commas, then the program
BLOCKED = """
import importlib.abc, sys

class Blocker(importlib.abc.MetaPathFinder):
    names = set(sys.argv[1].split(","))
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
exec(sys.argv[2])
"""

MODEL = """
import numpy, electra
name = {name!r}
config = electra.ElectraConfig(vocab_size=9, embedding_size=4, hidden_size=8, num_hidden_layers=1, num_attention_heads=2)
ids = numpy.array([[1, 2, 3]])
if name.startswith(("TF", "Flax")):
    model = getattr(electra, name)(config)
else:
    import torch
    model, ids = getattr(electra, name)(config).eval(), torch.from_numpy(ids)
print(tuple(model(ids)[0].shape))
"""


def run_without(packages, program):
    command = [sys.executable, "-W", "ignore", "-c", BLOCKED, ",".join(packages), program]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def others(framework):
    return [package for name, packages in PACKAGES.items() if name != framework for package in packages]


@pytest.mark.parametrize("framework", PACKAGES)
def test_a_machine_with_one_framework_works_with_that_one(framework):
    head = next(head for head in HEADS if head.name == "pretraining")
    done = run_without(others(framework), MODEL.format(name=head.class_in(framework)))
    assert done.stdout == "(1, 3)\n", done.stderr


@pytest.mark.fault(45)
@pytest.mark.parametrize("framework", PACKAGES)
def test_asking_for_a_framework_that_is_not_installed_names_the_command(framework):
    name = f"{PREFIXES[framework]}ElectraModel"
    done = run_without(PACKAGES[framework], f"import electra\nelectra.{name}")
    last = done.stderr.strip().splitlines()[-1]
    assert "MissingDependencyError" in last
    assert f"pip install 'electra[{framework}]'" in last


def test_the_library_imports_no_framework_before_one_is_used():
    program = "import electra, sys; print(sorted(set(sys.modules) & {'torch', 'tensorflow', 'keras', 'jax', 'flax', 'numpy'}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
