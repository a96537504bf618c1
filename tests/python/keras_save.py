"""Saves a model in one of the forms that Keras has: `.h5`, `.keras`, or a configuration with a file of weights."""

import pathlib
import shutil

import h5py
from keras_version import KERAS3


def save_model(model, path, form):
    """Writes the model at `path`, which has no suffix; `form` is one of `FORMS`."""
    if form in (".h5", ".keras"):
        model.save(f"{path}{form}")
        return
    pathlib.Path(f"{path}.json").write_text(model.to_json())
    weights = f"{path}.weights.h5"
    if form == "numbered":
        model.save_weights(weights)
    elif KERAS3:
        # Keras 3 reads and writes this layout, but `save_weights` does not
        from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

        with h5py.File(weights, "w") as file:
            save_weights_to_hdf5_group(file, model)
    else:
        # the file's ending says which layout it is
        model.save_weights(f"{path}.named.h5")
        shutil.move(f"{path}.named.h5", weights)


FORMS = [".h5", ".keras", "numbered", "named"]
