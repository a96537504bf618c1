"""The package against the framework's numbers in tests/models, which lie there with the networks' files."""

import dataclasses
import pathlib
import signal
import threading
import time

import numpy as np
import pytest

import hwgen

MODELS = pathlib.Path(__file__).parents[2] / "tests" / "models"
# two inputs summed and doubled, in hwgen's own form
TWO = """{"name": "two", "inputs": [{"name": "a", "shape": [2], "range": [-8, 7]}, {"name": "b", "shape": [2], "range": [0, 3]}],
"layers": [{"name": "sum", "op": "add", "inputs": [0, 1]}, {"name": "wide", "op": "add", "inputs": [2, 2]}],
"outputs": [{"name": "s", "tensor": 2}, {"name": "w", "tensor": 3}]}"""


@pytest.fixture(scope="module")
def jets():
    with np.load(MODELS / "jets_brevitas.npz") as events:
        return hwgen.load(MODELS / "jets_brevitas.onnx"), dict(events)


@pytest.fixture(scope="module")
def design(jets, tmp_path_factory):
    model, events = jets
    out = tmp_path_factory.mktemp("designs") / "rtl"
    return model.build(
        out, inputs=events["x"][:20], expected=events["scores"][:20], effort="fast", events=24, target="xcup", clock_ns=5
    )


def test_predictions_are_the_frameworks_numbers(jets):
    model, events = jets
    scores = model.predict(events["x"])
    assert scores.dtype == np.float32 and np.array_equal(scores, events["scores"])
    integers = model.predict(events["x"], integers=True)
    assert integers.dtype == np.int64 and integers.shape == scores.shape
    assert np.array_equal(model.predict({"x": events["x"].astype(float)})["scores"], scores)
    assert model.predict(events["x"][:0]).shape == (0, 5)


def test_traces_name_every_layer(jets):
    model, events = jets
    traces = model.trace(events["x"][:8])
    layers = [layer.name for layer in model.inspect().layers if layer.name not in model.inputs]
    assert set(traces) == set(layers)
    last = layers[-1]
    assert np.array_equal(model.trace(events["x"][:8], [last])[last], model.predict(events["x"][:8], integers=True))


def test_a_wrong_weight_changes_what_is_predicted(jets, design, tmp_path):
    model, events = jets
    text = (design.dir / "model.json").read_text()
    start = text.index("[", text.index('"values"', text.index('"weights"')))
    first = text[start + 1 : text.index(",", start)]
    (tmp_path / "model.json").write_text(text[: start + 1] + str(int(first) + 3) + text[start + 1 + len(first) :])
    changed = hwgen.load(tmp_path / "model.json")
    x = events["x"]
    assert np.array_equal(hwgen.load(design.dir / "model.json").predict(x), events["scores"])
    assert not np.array_equal(changed.predict(x), events["scores"])


def test_several_inputs_and_outputs(tmp_path):
    (tmp_path / "two.json").write_text(TWO)
    model = hwgen.load(tmp_path / "two.json")
    a, b = np.array([[1, -8], [7, 0]]), np.array([[3, 0], [1, 2]])
    as_list = model.predict([a, b], integers=True, codes=True)
    as_dict = model.predict({"b": b, "a": a})
    assert isinstance(as_list, list) and np.array_equal(as_list[0], a + b) and np.array_equal(as_list[1], 2 * (a + b))
    assert list(as_dict) == ["s", "w"] and np.array_equal(as_dict["w"], 2 * (a + b))
    for wrong in ([a], {"a": a}, {"a": a, "b": b, "c": b}, [a, b[:1]], [a + 1, b], [a + 0.5, b], [a, b.astype(str)]):
        with pytest.raises(hwgen.InputError):
            model.predict(wrong)
    with pytest.raises(hwgen.InputError, match="range is -8…7"):
        model.predict([a * 2, b], codes=True)
    with pytest.raises(hwgen.InputError, match="takes integers"):
        model.predict([a.astype(float), b], codes=True)
    with pytest.raises(hwgen.InputError, match="does not hold"):
        model.predict([a + 2**24 + 1, b])


def test_mistakes_are_exceptions_with_the_programs_texts(jets, tmp_path):
    model, events = jets
    with pytest.raises(hwgen.InputError, match="accept-rounding"):
        hwgen.load(MODELS / "jets_hgq2.keras")
    assert "steps may lie one integer off" in hwgen.load(MODELS / "jets_hgq2.keras", accept_rounding=True).remarks
    with pytest.raises(hwgen.InputError, match="none.onnx"):
        hwgen.load(tmp_path / "none.onnx")
    with pytest.raises(hwgen.InputError, match="there is no layer 'no'"):
        model.trace(events["x"], ["no"])
    with pytest.raises(hwgen.InputError, match="--reuse"):
        model.build(tmp_path / "rtl", reuse=0)
    with pytest.raises(hwgen.InputError, match="top module name"):
        model.build(tmp_path / "rtl", top="9")
    with pytest.raises(hwgen.Error, match="the model differs") as failed:
        model.build(tmp_path / "rtl", inputs=events["x"][:4], expected=events["scores"][:4] + 1)
    assert not isinstance(failed.value, hwgen.InputError) and not (tmp_path / "rtl").exists()


def test_a_design_is_checked_and_proved(design):
    report = design.report
    assert report.timing.latency > 0 and report.timing.clock_ns == 5 and report.size.estimate.look_up_tables > 0
    assert hwgen.Design(design.dir).report == report
    (outcome,) = design.simulate(random=100, seed=3)
    assert outcome.pass_ and outcome.vectors == 100 and outcome.latency == report.timing.latency
    assert all(v.verdict == "proved" for v in design.verify())
    with pytest.raises(hwgen.InputError, match="vectors"):
        design.simulate(vectors=design.dir / "report.json")


def test_an_edited_design_is_refuted(design):
    source = design.dir / f"{design.report.top}.v"
    text = source.read_text()
    try:
        source.write_text(text.replace(" - ", " + ", 1))
        with pytest.warns(hwgen.Remark, match="was edited"):
            assert any(v.verdict != "proved" for v in design.verify(check=False))
        with pytest.raises(hwgen.Error):
            design.verify()
    finally:
        source.write_text(text)


def test_reports_have_no_empty_fields(jets, design):
    def check(value, optional=("scale", "loss", "cycle", "latency", "counterexample", "layer", "activity")):
        if dataclasses.is_dataclass(value):
            for field in dataclasses.fields(value):
                inner = getattr(value, field.name)
                assert inner is not None or field.name in optional, f"{type(value).__name__}.{field.name}"
                check(inner)
        elif isinstance(value, (list, dict)):
            for item in value.values() if isinstance(value, dict) else value:
                check(item)

    check([jets[0].inspect(), design.report, design.simulate(first=4), design.verify()])


def test_an_interrupt_ends_a_long_call(jets, tmp_path):
    model, _ = jets
    # jobs in the background begin with a SIGINT that is ignored
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Timer(1.0, signal.raise_signal, [signal.SIGINT]).start()
    start = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            model.build(tmp_path / "rtl", effort=300)
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - start < 60 and not any(tmp_path.iterdir())
    assert model.predict(np.zeros((3, 16))).shape == (3, 5)


def test_frameworks_are_asked_for_by_name(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "brevitas.export", None)
    with pytest.raises(ImportError, match="pip install brevitas"):
        hwgen.from_torch(None, None)


def test_an_onnx_model_in_memory(jets):
    onnx = pytest.importorskip("onnx")
    model = hwgen.from_onnx(onnx.load(MODELS / "jets_brevitas.onnx"))
    assert np.array_equal(model.predict(jets[1]["x"]), jets[1]["scores"])


def test_a_keras_model_in_memory():
    keras = pytest.importorskip("keras")
    pytest.importorskip("hgq")
    trained = keras.models.load_model(MODELS / "digits_hgq2.keras", compile=False)
    with np.load(MODELS / "digits_hgq2.npz") as events:
        assert np.array_equal(hwgen.from_keras(trained, accept_rounding=True).predict(events["x"]), events["scores"])
