"""The weight files of transformers' TensorFlow and Flax classes, tf_model.h5 and flax_model.msgpack, without either framework.

Read into and written from arrays under our names and in our layout. Unusual here: nothing is executed on reading; both
formats are plain data.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from electra.disk.replace import write_atomically
from electra.errors import WeightsError, install_hint
from electra.weights.files import BFLOAT16, Arrays, widen
from electra.weights.translation import flax_path, from_flax_path, from_keras_path, keras_path, transposed

H5 = "tf_model.h5"
MSGPACK = "flax_model.msgpack"
DEFLATE = 1032  # how much a compressed dataset can grow at most
NDARRAY = 1  # the kind of msgpack extension that flax.serialization uses for arrays


def read_h5(path: Path) -> Arrays:
    """The tensors of a tf_model.h5. Raises WeightsError where it is damaged or holds no Keras weights."""
    try:
        import h5py
    except ImportError:
        raise install_hint("h5py", "tf", f"reading {path}") from None
    found: Arrays = {}

    def read(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            if isinstance(name, bytes):
                raise ValueError(f"the name {name!r} is not UTF-8")
            if item.nbytes > path.stat().st_size * (1 if item.compression is None else DEFLATE):
                raise OSError(f"{name} claims {item.nbytes:,} bytes, more than the file has")
            found[name] = item[()]

    try:
        with h5py.File(path, "r") as file:
            file.visititems(read)
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, MemoryError) as error:  # h5py, on damage
        raise WeightsError(f"{path} is not a whole HDF5 file: {error}; restore it from a good copy") from None
    # A dataset's full name begins with the group of its top layer, which its own name repeats.
    return _named(found, lambda name: from_keras_path(name.partition("/")[2]))


def read_msgpack(path: Path) -> Arrays:
    """The tensors of a flax_model.msgpack. Raises WeightsError where it is damaged or holds no tree of arrays."""
    msgpack = _msgpack(f"reading {path}")
    raised = (
        msgpack.UnpackException,
        ValueError,
        TypeError,
        AttributeError,
        KeyError,
    )  # by msgpack and NumPy, on damage
    try:
        with path.open("rb") as file:
            limit = path.stat().st_size
            stream = msgpack.Unpacker(
                file, ext_hook=_unpack_array, raw=False, strict_map_key=False, max_buffer_size=limit + 1
            )
            found = dict(_leaves(stream.unpack()))
            if stream.tell() != limit:
                raise ValueError(f"{limit - stream.tell():,} bytes follow the tree")
    except raised as error:
        raise WeightsError(f"{path} is not a whole Flax file: {error}; restore it from a good copy") from None
    return _named(found, from_flax_path)


def write_msgpack(path: Path, tensors: Mapping[str, Any]) -> None:
    """Write flax_model.msgpack; `tensors` under the names of a model's state."""
    msgpack = _msgpack(f"writing {path}")
    tree: dict[str, Any] = {}
    for name in tensors:
        *branches, leaf = flax_path(name)
        place = tree
        for branch in branches:
            place = place.setdefault(branch, {})
        place[leaf] = name
    packer = msgpack.Packer()

    def write(file: Any, tree: Any) -> None:
        """One tensor after another, so that there are never two in memory."""
        if isinstance(tree, str):
            packed = _pack_array(msgpack, transposed(tree, tensors[tree]))
            file.write(packer.pack(msgpack.ExtType(NDARRAY, packed)))
            return
        file.write(packer.pack_map_header(len(tree)))
        for key, branch in tree.items():
            file.write(packer.pack(key))
            write(file, branch)

    write_atomically(path, lambda file: write(file, tree))


def write_h5(path: Path, tensors: Mapping[str, Any], model_name: str) -> None:
    """Write tf_model.h5 as Keras 2 did: a group for each top layer; model_name is such as tf_electra_for_masked_lm."""
    try:
        import h5py
    except ImportError:
        raise install_hint("h5py", "tf", f"writing {path}") from None
    layers: dict[str, dict[str, str]] = {}
    for name in tensors:
        keras = keras_path(name)
        layers.setdefault(keras.partition("/")[0], {})[f"{model_name}/{keras}:0"] = name

    def write(file: Any) -> None:
        with h5py.File(file, "w") as h5:
            h5.attrs["backend"], h5.attrs["keras_version"] = b"tensorflow", b"2.13.1"
            h5.attrs["layer_names"] = [layer.encode() for layer in layers]
            for layer, weights in layers.items():
                group = h5.create_group(layer)
                group.attrs["weight_names"] = [keras.encode() for keras in weights]
                for keras, name in weights.items():
                    group.create_dataset(keras, data=widen(transposed(name, tensors[name])))
            h5.create_group("top_level_model_weights").attrs["weight_names"] = np.array([])

    write_atomically(path, write)


def _named(found: dict[Any, Any], ours: Any) -> Arrays:
    """The arrays under our names, in our layout and order; `found` is emptied, so that there are never two copies of all."""
    arrays: Arrays = {}
    for path in list(found):
        name = ours(path)
        arrays[name] = np.require(transposed(name, np.asarray(found.pop(path))), requirements=["C", "W"])
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
        elif isinstance(value, np.ndarray):
            yield (*path, str(key)), value
        else:
            raise ValueError(f"{'.'.join((*path, str(key)))} is no array")


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
