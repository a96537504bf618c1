"""Data that the models of this folder are trained and checked on; numpy and scikit-learn only.

`jets` draws synthetic jets: 16 observables of five classes (light quark, gluon, W, Z, top) with the features that make
tagging hard: masses that overlap, multiplicities that follow the momentum, and shapes that are ratios of both.
`digits` is the set of 8 x 8 handwritten digits that scikit-learn ships.
"""

import numpy as np

# mass and its width, constituents, subjets, girth
CLASSES = [(25.0, 14.0, 26.0, 1.3, 0.10), (32.0, 17.0, 42.0, 1.5, 0.18), (80.0, 9.0, 34.0, 2.1, 0.24),
           (91.0, 9.5, 36.0, 2.1, 0.27), (173.0, 19.0, 50.0, 3.0, 0.33)]


def jets(count, seed):
    """`count` jets: float32 of shape (count, 16), about in [-4, 4], and their classes."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, len(CLASSES), count)
    mass, width, size, prongs, girth = np.array(CLASSES)[classes].T
    momentum = rng.lognormal(0.0, 0.25, count)
    mass = mass + width * rng.standard_normal(count) + 4.0 * momentum
    groomed = np.abs(mass * rng.uniform(0.75, 1.02, count) + 3.0 * rng.standard_normal(count))
    constituents = rng.poisson(size * momentum ** 0.4)
    girth = girth * rng.lognormal(0.0, 0.3, count) / momentum
    sharpness = np.array([0.35, 0.75, 1.3, 2.2])[:, None]
    correlations = prongs * sharpness * rng.lognormal(0.0, 0.2, (4, count)) * girth
    ratios = correlations[1:] / correlations[:-1]
    spread = rng.standard_normal((3, count)) * (0.3 + girth) + 0.2 * prongs
    columns = [np.log(np.abs(mass) + 5.0), np.log(groomed + 5.0), constituents, girth, momentum, groomed / np.abs(mass + 1.0)]
    x = np.stack([*columns, *np.log(correlations), *ratios, *spread], axis=1)
    x = (x - np.median(x, axis=0)) / (np.percentile(x, 84, axis=0) - np.percentile(x, 16, axis=0)) * 2.0
    return np.clip(x, -8.0, 8.0).astype(np.float32), classes


def digits():
    """Training pixels and classes, then those for tests: float32 of shape (count, 8, 8), sixteenths from 0 to 1."""
    from sklearn.datasets import load_digits

    pixels, classes = load_digits(return_X_y=True)
    pixels = (pixels / 16.0).astype(np.float32).reshape(-1, 8, 8)
    order = np.random.default_rng(5).permutation(len(pixels))
    pixels, classes = pixels[order], classes[order]
    return (pixels[:1200], classes[:1200]), (pixels, classes)


def save(path, x, tensors, classes):
    """Inputs and every quantised tensor by name, as 32-bit floats, and how well the outputs tell the classes apart."""
    tensors = {name: np.asarray(values, np.float32) for name, values in tensors.items()}
    last = list(tensors.values())[-1].reshape(len(x), -1)
    print(path, "accuracy", np.mean(last.argmax(1) == classes[: len(x)]))
    np.savez_compressed(path, x=np.asarray(x, np.float32), **tensors)
