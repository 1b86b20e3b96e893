"""The weight files of transformers' TensorFlow and Flax classes, tf_model.h5 and flax_model.msgpack, without either framework.

Read into and written from arrays under our names and in our layout. Unusual here: nothing is executed on reading; both
formats are plain data.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from electra.errors import WeightsError, install_hint
from electra.weights.files import BFLOAT16, Arrays, widen, write_atomically
from electra.weights.translation import flax_path, from_flax_path, from_keras_path, keras_path, transposed

H5 = "tf_model.h5"
MSGPACK = "flax_model.msgpack"
NDARRAY = 1  # the kind of msgpack extension that flax.serialization uses for arrays


def read_h5(path: Path) -> Arrays:
    """The tensors of a tf_model.h5. Raises WeightsError where it is damaged or holds no Keras weights."""
    try:
        import h5py
    except ImportError:
        raise install_hint("h5py", "tf", f"reading {path}") from None
    found: Arrays = {}
    try:
        with h5py.File(path, "r") as file:
            file.visititems(
                lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
            )
    except (OSError, KeyError, RuntimeError) as error:
        raise WeightsError(f"{path} is not a whole HDF5 file: {error}; restore it from a good copy") from None
    # A dataset's full name begins with the group of its top layer, which its own name repeats.
    return _named({name.partition("/")[2]: array for name, array in found.items()}, from_keras_path)


def read_msgpack(path: Path) -> Arrays:
    """The tensors of a flax_model.msgpack. Raises WeightsError where it is damaged or holds no tree of arrays."""
    msgpack = _msgpack(f"reading {path}")
    try:
        tree = msgpack.unpackb(path.read_bytes(), ext_hook=_unpack_array, raw=False, strict_map_key=False)
        found = dict(_leaves(tree))
    except (ValueError, TypeError, AttributeError, KeyError) as error:  # what msgpack and NumPy raise on damage
        raise WeightsError(f"{path} is not a whole Flax file: {error}; restore it from a good copy") from None
    return _named(found, from_flax_path)


def write_msgpack(path: Path, tensors: Mapping[str, Any]) -> None:
    """Write flax_model.msgpack; `tensors` under the names of a model's state."""
    msgpack = _msgpack(f"writing {path}")
    tree: dict[str, Any] = {}
    for name, array in tensors.items():
        *branches, leaf = flax_path(name)
        place = tree
        for branch in branches:
            place = place.setdefault(branch, {})
        place[leaf] = msgpack.ExtType(NDARRAY, _pack_array(msgpack, transposed(name, array)))
    write_atomically(path, lambda file: file.write(msgpack.packb(tree, strict_types=True)))


def write_h5(path: Path, tensors: Mapping[str, Any], model_name: str) -> None:
    """Write tf_model.h5 as Keras 2 did: a group for each top layer; model_name is such as tf_electra_for_masked_lm."""
    try:
        import h5py
    except ImportError:
        raise install_hint("h5py", "tf", f"writing {path}") from None
    layers: dict[str, dict[str, Any]] = {}
    for name, array in tensors.items():
        keras = keras_path(name)
        layers.setdefault(keras.partition("/")[0], {})[f"{model_name}/{keras}:0"] = transposed(name, array)

    def write(file: Any) -> None:
        with h5py.File(file, "w") as h5:
            h5.attrs["backend"], h5.attrs["keras_version"] = b"tensorflow", b"2.13.1"
            h5.attrs["layer_names"] = [layer.encode() for layer in layers]
            for layer, weights in layers.items():
                group = h5.create_group(layer)
                group.attrs["weight_names"] = [name.encode() for name in weights]
                for name, array in weights.items():
                    group.create_dataset(name, data=widen(array))
            h5.create_group("top_level_model_weights").attrs["weight_names"] = np.array([])

    write_atomically(path, write)


def _named(found: Mapping[Any, Any], ours: Any) -> Arrays:
    arrays: Arrays = {}
    for path, array in found.items():
        name = ours(path)
        arrays[name] = np.array(transposed(name, np.asarray(array)), order="C")
    return arrays


def _msgpack(purpose: str) -> Any:
    try:
        import msgpack
    except ImportError:
        raise install_hint("msgpack", "flax", purpose) from None
    return msgpack


def _leaves(tree: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*path, str(key)))
        else:
            yield (*path, str(key)), value


def _unpack_array(code: int, data: bytes) -> Any:
    if code != NDARRAY:
        raise ValueError(f"it holds an extension of kind {code}, expected arrays ({NDARRAY})")
    shape, dtype, content = _msgpack("reading weights").unpackb(data, raw=True)
    name = dtype.decode()
    kind = BFLOAT16 if name == "bfloat16" else np.dtype(name)
    return widen(np.frombuffer(content, kind).reshape(shape))


def _pack_array(msgpack: Any, array: Any) -> bytes:
    name = "bfloat16" if array.dtype == BFLOAT16 else array.dtype.name
    return bytes(msgpack.packb((array.shape, name, np.ascontiguousarray(array).tobytes()), use_bin_type=True))
