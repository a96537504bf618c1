"""Runs the same events through `hwgen run`, Verilator and alkaid's interpreter, and prints events a second and ratios.

usage: emulate.py HWGEN WORK_DIR [--only CASE…] [--events N] [--no-verilator] [--no-peer]

Events are the folder's own vectors, repeated; results must be those that the integer model gave when the folder was made.
hwgen's rate is that of the network with the conversion of its numbers, without reading and writing files, which are
printed beside it; Verilator's is that of the compiled test bench, on fewer events where it is slow; alkaid's is that of
`CombLogic.predict` with one thread, whose results must be hwgen's. Each is the best of three.
"""
import argparse
import json
import subprocess
import time
from pathlib import Path

import numpy as np
from networks import Network

WIDTHS = (16, 64, 32, 32, 5)
# bits of a weight, part of the weights that is not 0, bits of an activation
NETWORKS = {"dense": (6, 1.0, 8), "half": (6, 0.5, 8), "narrow": (3, 0.5, 5)}
GENERATED = {
    "encoder": ["encoder"],
    "programmable": ["encoder", "--weights", "programmable"],
    "interaction": ["interaction", "--nodes", "28", "--edges", "56"],
}
# events that Verilator runs at most, and what stands for one in the test bench's time
VERILATED = 20_000
REPEATS = 3


def weights(bits, density):
    random = np.random.default_rng(1)
    for rows, columns in zip(WIDTHS, WIDTHS[1:]):
        matrix = random.integers(-(1 << bits - 1), 1 << bits - 1, (rows, columns))
        yield matrix * (random.random((rows, columns)) < density)


def network(name, bits, density, activation):
    """hwgen's form of a network, and the bits that each of its activations drops."""
    net, x, drops = Network(name, [WIDTHS[0]], -128, 127), 0, []
    layers = list(weights(bits, density))
    for k, matrix in enumerate(layers):
        x = net.dense(x, matrix.tolist(), [0] * matrix.shape[1])
        if k + 1 < len(layers):
            drops.append(bits + 1)
            x = net.activation(x, drops[-1], activation)
    return net.finish(x), drops


def peer(bits, density, activation, drops, events):
    """alkaid's results and its events a second."""
    from alkaid.trace import FVArrayInput, trace
    from alkaid.trace.ops import quantize

    inputs = FVArrayInput((WIDTHS[0],))
    x, scale = quantize(inputs, 1, 7, 0), 0
    for matrix, drop in zip(weights(bits, density), [*drops, None]):
        x = x @ matrix.astype(np.float32)
        if drop is not None:
            # the integers of hwgen's network times two to the power of all that was dropped
            scale += drop
            x = quantize(x, 0, activation + scale, -scale, "SAT", "RND")
    circuit = trace(inputs, x)
    seconds = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        results = circuit.predict(events.astype(np.float64), n_threads=1)
        seconds.append(time.perf_counter() - begun)
    return np.round(results / 2.0**scale).astype(np.int64), len(events) / min(seconds)


def run(*command):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def rows(vectors):
    """A port's rows as an array; one element an event may stand without brackets."""
    array = np.array(vectors, dtype=np.int64)
    return array.reshape(len(array), -1)


def case(name, options):
    folder, peer_of = options.work / name, None
    if name in NETWORKS:
        content, drops = network(name, *NETWORKS[name])
        file = options.work / f"{name}.json"
        file.write_text(json.dumps(content))
        run(options.hwgen, "build", file, "--effort", "fast", "--out", folder)
        peer_of = (*NETWORKS[name], drops)
    else:
        run(options.hwgen, *GENERATED[name], "--out", folder)
    vectors = json.loads((folder / "vectors" / "vectors.json").read_text())
    inputs = {port: rows(v) for port, v in vectors["inputs"].items()}
    expected = {port: rows(v) for port, v in vectors["outputs"].items()}
    count = len(next(iter(inputs.values())))
    turns = np.arange(options.events) % count
    events = options.work / f"{name}.npz"
    shapes = json.loads((folder / "model.json").read_text())
    np.savez(events, **{port: shaped(port, v[turns], shapes) for port, v in inputs.items()})
    results = options.work / f"{name}_results.npz"
    rates, files = [], []
    for threads in (1, 2):
        summaries = []
        for _ in range(REPEATS):
            command = [options.hwgen, "run", folder, "--input", events, "--output", results, "--integers"]
            summaries.append(json.loads(run(*command, "--threads", threads, "--json"))["seconds"])
        best = min(summaries, key=lambda seconds: seconds[1])
        rates.append(options.events / best[1])
        files.append(best[0] + best[2])
    found = np.load(results)
    for port, values in expected.items():
        if port not in found:
            continue
        if not np.array_equal(found[port].reshape(options.events, -1), values[turns]):
            raise SystemExit(f"{name}: {port} is not what the integer model gives")
    one = options.work / "one.npz"
    np.savez(one, **{port: shaped(port, v[:1], shapes) for port, v in inputs.items()})
    begun = time.perf_counter()
    run(options.hwgen, "run", folder, "--input", one, "--output", options.work / "one_result.npz", "--integers")
    start = time.perf_counter() - begun
    row = {"1 thread": rates[0], "2 threads": rates[1], "start-up s": start, "files s": files[0]}
    if options.verilator:
        events = min(options.events, VERILATED)
        outcome = json.loads(run(options.hwgen, "sim", folder, "--engine", "verilator", "--random", events, "--json"))
        row["Verilator"] = events / outcome[0]["seconds"][1]
    if peer_of and options.peer:
        values = inputs["x"][turns]
        theirs, row["alkaid"] = peer(*peer_of, values)
        if not np.array_equal(theirs, expected["y"][turns]):
            raise SystemExit(f"{name}: alkaid computes something else")
    return row


def shaped(port, values, model):
    """A port's events in the shape that the model has; a row each where it has one axis."""
    network = model.get("network", {})
    for tensor in network.get("inputs", []) if isinstance(network.get("inputs"), list) else []:
        if tensor["name"] == port:
            return values.reshape(len(values), *tensor["shape"])
    return values


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hwgen", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--only", nargs="+", choices=[*NETWORKS, *GENERATED], default=[*NETWORKS, *GENERATED])
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--no-verilator", dest="verilator", action="store_false")
    parser.add_argument("--no-peer", dest="peer", action="store_false")
    options = parser.parse_args()
    print("| network | events/s, 1 thread | 2 threads | ÷ | Verilator | × | alkaid | × | start-up, s |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for name in options.only:
        row = case(name, options)
        cells = [f"{row['1 thread']:,.0f}", f"{row['2 threads']:,.0f}", f"{row['2 threads'] / row['1 thread']:.2f}"]
        for other in ("Verilator", "alkaid"):
            known = other in row
            cells += [f"{row[other]:,.0f}", f"{row['1 thread'] / row[other]:.1f}"] if known else ["–", "–"]
        print(f"| {name} | {' | '.join(cells)} | {row['start-up s']:.2f} |", flush=True)


main()
