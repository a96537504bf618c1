"""Random models of one to three layers of Keras or QKeras with several settings changed at random; see `case.py`.

Runs under Keras 3 and under TensorFlow 2.15 with QKeras.
"""

import case
from keras_save import FORMS, save_model
from keras_settings import candidates, classes, fill, inputs, layers
from keras_version import keras


def pick(rng, items):
    return items[int(rng.integers(len(items)))]


def changed(rng, kind, arguments):
    """A layer with up to four settings that are not the default."""
    config = kind(**arguments).get_config()
    for key in rng.permutation(sorted(config))[: int(rng.integers(0, 5))]:
        options = candidates(str(key), config[key])
        if options and key != "dtype":
            config[str(key)] = pick(rng, options)
    config.pop("name", None)
    return kind.from_config(config)


def make(path, rng):
    keras.backend.clear_session()
    table = classes()
    shape = pick(rng, sorted({shape for _, _, shape in table}, key=str))
    x = y = keras.Input(shape)
    inner = []
    for _ in range(int(rng.integers(1, 4))):
        kind, arguments, _ = pick(rng, [entry for entry in table if len(entry[2]) == len(y.shape) - 1])
        inner.append(changed(rng, kind, arguments))
        y = inner[-1](y)
    # sometimes the input is added again, or an inner result is given as well
    results = [y]
    if rng.random() < 0.2 and tuple(y.shape) == tuple(x.shape):
        results = [layers.Add()([y, x])]
    elif rng.random() < 0.2:
        results = [y, inner[0].output]
    model = keras.Model(x, results if len(results) > 1 else results[0])
    for layer in inner:
        fill(layer, rng)
    xs = inputs(shape, rng)
    ys = model(xs, training=False)
    case.save(path, [xs], ys if len(results) > 1 else [ys], "--input-format s6.3")
    save_model(model, path, pick(rng, FORMS))
    return True


if __name__ == "__main__":
    case.run(make)
