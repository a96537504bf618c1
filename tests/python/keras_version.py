"""The Keras that is installed: Keras 3, or Keras 2 in TensorFlow up to 2.15."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import tensorflow as tf

KERAS3 = tuple(map(int, tf.__version__.split(".")[:2])) >= (2, 16)
if KERAS3:
    import keras
else:
    keras = tf.keras
