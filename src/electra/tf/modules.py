"""What torch calls nn: the small layers that hold weights, and the tree they stand in.

Unusual here: a Keras layer makes its weights when it first sees an input. Ours know their sizes, so a new model has all its
weights, and `named_weights` finds them by the attributes that lead to them, which are the names of the canonical checkpoint.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

Tensor = Any  # tf.Tensor; TensorFlow has no types for mypy
Variable = Any  # keras.Variable

_next_seed: ContextVar[Callable[[], Tensor] | None] = ContextVar("next_seed", default=None)


@contextmanager
def dropout_seeded_by(draw: Callable[[], Tensor]) -> Iterator[None]:
    """Dropout inside draws from one seed (2,) int32: the first layer that runs from it, the next from it + (0, 1), ...

    draw    gives the seed; called where the first layer asks, so never outside training. Ignored inside another such block.
    """
    if _next_seed.get() is not None:
        yield
        return
    numbers = count()
    held: list[Tensor] = []

    def next_seed() -> Tensor:
        if not held:
            held.append(draw())
        return held[0] + tf.constant([0, next(numbers)], tf.int32)

    token = _next_seed.set(next_seed)
    try:
        yield
    finally:
        _next_seed.reset(token)


class Container:
    """The part of a layer or model that builds what it holds. A child is called as its attribute, one of a list layer_._0."""

    def build(self, input_shape: Any = None) -> None:
        """Make the weights of everything inside; each knows its own shape."""
        for path, child in children(self):
            if not child.built:
                child.name = path.replace(".", "_._")
                child.build()


class Saved:
    """A layer that tells Keras' own saving (model.save, save_weights) what to write for it, by our names."""

    def stored(self) -> Iterator[tuple[str, Variable]]:
        return named_weights(self)

    def save_own_variables(self, store: Any) -> None:
        for name, variable in self.stored():
            store[name] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        for name, variable in self.stored():
            variable.assign(store[name])


class Module(Saved, Container, keras.layers.Layer):
    """A layer of layers. Its inputs are not cast: a mask in float32 would not survive in a narrower type."""

    output: Any = None  # Keras has a property of this name on every layer, Hugging Face a layer
    input: Any = None

    def __init__(self) -> None:
        super().__init__(autocast=False)

    def stored(self) -> Iterator[tuple[str, Variable]]:
        """What Keras does not find by itself: it leaves out attributes that are called as its properties."""
        return named_weights(self.output) if self.output is not None else iter(())


class Linear(keras.layers.Dense):
    """(..., inputs) -> (..., outputs). Keras' Dense, so that its tools (LoRA, quantization) know it."""

    own_weights: ClassVar = {"weight": "_kernel", "bias": "bias"}

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(outputs, kernel_initializer="zeros")
        self.inputs = inputs

    def build(self, input_shape: Any = None) -> None:
        super().build((None, self.inputs))


class OutputTable(Saved, Linear):
    """From embeddings to one value a token, (..., inputs) -> (..., outputs): by a matrix of its own, or by the word table."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        self.words: Callable[[], Variable] | None = None  # a function, or Keras would count the table twice

    def tie(self, words: "Embedding") -> None:
        """Use the rows of `words` from now on."""
        self.words = lambda: words.embeddings

    def build(self, input_shape: Any = None) -> None:
        if self.words is None:
            super().build()
        else:
            self.bias = self.add_weight((self.units,), "zeros", name="bias")

    def call(self, x: Tensor) -> Tensor:
        if self.words is None:
            return super().call(x)
        *leading, width = shape_of(x)
        table = tf.cast(self.words(), self.compute_dtype)  # (V, E)
        logits = tf.matmul(tf.reshape(x, [-1, width]), table, transpose_b=True) + self.bias
        return tf.reshape(logits, [*leading, logits.shape[-1]])


class Embedding(keras.layers.Layer):
    """A table of rows. ids (...) -> (..., width). Looking up the row `padding` gives it no gradient."""

    own_weights: ClassVar = {"weight": "embeddings"}

    def __init__(self, rows: int, width: int, padding: int | None = None) -> None:
        super().__init__(autocast=False)
        self.rows, self.width, self.padding = rows, width, padding

    def build(self, input_shape: Any = None) -> None:
        self.embeddings = self.add_weight((self.rows, self.width), "zeros", name="embeddings", autocast=False)

    def call(self, ids: Tensor) -> Tensor:
        rows = tf.gather(self.embeddings, ids)
        if self.padding is not None:
            rows = tf.where((ids == self.padding)[..., None], tf.stop_gradient(rows), rows)
        return tf.cast(rows, self.compute_dtype)


class LayerNorm(keras.layers.Layer):
    """Normalised over the last axis, in float32 at least."""

    own_weights: ClassVar = {"weight": "gamma", "bias": "beta"}

    def __init__(self, width: int, eps: float) -> None:
        super().__init__(autocast=False)
        self.width, self.eps = width, eps

    def build(self, input_shape: Any = None) -> None:
        self.gamma = self.add_weight((self.width,), "ones", name="gamma", autocast=False)
        self.beta = self.add_weight((self.width,), "zeros", name="beta", autocast=False)

    def call(self, x: Tensor) -> Tensor:
        wide = tf.float64 if self.compute_dtype == "float64" else tf.float32
        x = tf.cast(x, wide)
        centred = x - tf.reduce_mean(x, -1, keepdims=True)
        scale = tf.math.rsqrt(tf.reduce_mean(centred**2, -1, keepdims=True) + self.eps)
        normal = centred * scale * tf.cast(self.gamma, wide) + tf.cast(self.beta, wide)
        return tf.cast(normal, self.compute_dtype)


class Dropout(keras.layers.Layer):
    """Zero a share of the numbers in training and scale the rest up; drawn from `dropout_seeded_by`, else by Keras."""

    def __init__(self, rate: float) -> None:
        super().__init__(autocast=False)
        self.rate = rate

    def build(self, input_shape: Any = None) -> None: ...

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        if not training or self.rate == 0:
            return x
        next_seed = _next_seed.get()
        if next_seed is None:
            return tf.nn.dropout(x, self.rate)
        return tf.nn.experimental.stateless_dropout(x, self.rate, next_seed())


# ------------------------------------------------------------------------------------------------------------- the tree


def children(module: Any) -> Iterator[tuple[str, Any]]:
    """The layers an object holds, in the order they were set: attribute, or attribute.number in a list."""
    for name, value in list(vars(module).items()):
        if name.startswith("_"):
            continue
        if isinstance(value, keras.layers.Layer):
            yield name, value
        elif isinstance(value, list):
            yield from ((f"{name}.{i}", item) for i, item in enumerate(value) if isinstance(item, keras.layers.Layer))


def named_weights(module: Any, prefix: str = "") -> Iterator[tuple[str, Variable]]:
    """Name in the canonical checkpoint -> variable; a table that is another's is not repeated."""
    for leaf, attribute in getattr(module, "own_weights", {}).items():
        variable = getattr(module, attribute, None)
        if variable is not None:
            yield f"{prefix}{leaf}", variable
    for name, child in children(module):
        yield from named_weights(child, f"{prefix}{name}.")


def replace_weight(layer: Any, attribute: str, value: np.ndarray[Any, Any]) -> None:
    """Put a weight of another shape in the place of one."""
    old = getattr(layer, attribute)
    layer._untrack_variable(old)
    layer._tracker.unlock()
    new = layer.add_weight(value.shape, "zeros", name=old.name, trainable=old.trainable, autocast=old._autocast)
    new.assign(value)
    new._path = old.path  # Keras makes it from the layers whose building it is in; here from none
    setattr(layer, attribute, new)
    layer._tracker.lock()


def replace_layer(module: Any, attribute: str, new: Any) -> None:
    """Put another layer, built already, in the place of one."""
    module._tracker.unlock()
    module._tracker.untrack(getattr(module, attribute))
    setattr(module, attribute, new)
    module._tracker.lock()


def shape_of(x: Tensor) -> list[Any]:
    """The sizes of a tensor: numbers where they are known, scalar tensors where a graph is open."""
    known = x.shape.as_list()
    if None not in known:
        return list(known)
    asked = tf.shape(x)
    return [asked[axis] if size is None else size for axis, size in enumerate(known)]
