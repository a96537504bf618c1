#!/usr/bin/env python3
"""Recomputes the report of `hwgen synth` from the netlist and the Liberty file, and compares: recompute_synthesis.py FOLDER

FOLDER is what `hwgen synth … --steps map,sta,gates,power` wrote for a cell library, without --hierarchy keep. Nothing of
hwgen's own code is used: cells and area are summed, slack is a static timing analysis of its own, and energy comes from
an event-driven simulation of its own, one cycle after the other, with inertial delays. Exit code 1 if a figure is off by
more than 2 %. Standard library only. Registers without reset, clear or preset; designs without a preamble.
"""

import heapq
import json
import re
import sys
from bisect import bisect_right
from collections import Counter, defaultdict
from pathlib import Path

TOLERANCE = 0.02
INPUT_SLEW_PS, OUTPUT_LOAD_FF = 100.0, 20.0
UNCERTAINTY, PORT_SHARE = 0.02, 0.10


# --- Liberty ---------------------------------------------------------------------------------------------------------

TOKEN = re.compile(r'"[^"]*"|[{}();:,]|[^\s{}();:,"]+')


def liberty(text):
    """The file as nested groups: (name, arguments, attributes, groups)."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S).replace("\\\n", " ")
    stack = [("", [], {}, [])]
    raw = TOKEN.findall(text)
    tokens = [t.strip('"') for t in raw]
    i = 0
    while i < len(tokens):
        token = raw[i]
        if token == "}":
            stack.pop()
            i += 1
        elif token in ";,":
            i += 1
        elif raw[i + 1] == ":":
            stack[-1][2][tokens[i]] = tokens[i + 2]
            i += 3
        elif raw[i + 1] == "(":
            end = raw.index(")", i)
            arguments = [tokens[k] for k in range(i + 2, end) if raw[k] != ","]
            if end + 1 < len(raw) and raw[end + 1] == "{":
                group = (token, arguments, {}, [])
                stack[-1][3].append(group)
                stack.append(group)
                i = end + 2
            else:
                stack[-1][2][token] = arguments
                i = end + 1
        else:
            raise SystemExit(f"Liberty: not understood near {' '.join(tokens[i:i + 4])}")
    return stack[0][3][0]


def children(group, *names):
    return [g for g in group[3] if g[0] in names]


def numbers(arguments):
    return [float(x) for a in arguments for x in a.replace(",", " ").split()]


class Table:
    """Value by load and slew, in the library's units."""

    def __init__(self, group, templates):
        variables, points = templates.get(group[1][0] if group[1] else "", ([], [[], []]))
        own = [group[2].get("index_1"), group[2].get("index_2")]
        self.variables = variables
        self.points = [numbers(o) if o else p for o, p in zip(own, points)][: len(variables)]
        self.values = numbers(group[2]["values"])

    def at(self, load, slew):
        spots = []
        for variable, points in zip(self.variables, self.points):
            x = load if variable == "load" else slew
            if len(points) < 2:
                spots.append([(0, 1.0)])
                continue
            k = min(max(bisect_right(points, x) - 1, 0), len(points) - 2)
            t = (x - points[k]) / (points[k + 1] - points[k])
            spots.append([(k, 1 - t), (k + 1, t)])
        if not spots:
            return self.values[0]
        if len(spots) == 1:
            return sum(w * self.values[k] for k, w in spots[0])
        width = len(self.points[1])
        return sum(u * v * self.values[i * width + j] for i, u in spots[0] for j, v in spots[1])


def expression(text, pins):
    """A Liberty function as a Python function of a tuple of levels, by the pins' order."""
    text = re.sub(r"(\w+)\s*'", r"!\1", text).replace("^", " ^ ")
    out, previous = [], False
    for token in re.findall(r"\w+|[()!^*&+|]", text):
        starts = token not in ")^*&+|"
        if previous and starts:
            out.append("and")
        out.append({"!": "1^", "*": "and", "&": "and", "+": "or", "|": "or"}.get(token, token))
        previous = token not in "(!^*&+|"
    words = [f"v[{pins.index(w)}]" if w in pins else {"1^": "not"}.get(w, {"^": "!="}.get(w, w)) for w in out]
    return eval("lambda v: bool(" + parenthesise(words) + ")")  # the words are pins and operators only


def parenthesise(words):
    """`not` binds tighter than `!=` in Liberty, unlike in Python."""
    text = " ".join(words)
    while True:
        new = re.sub(r"not (v\[\d+\])", r"(1-\1)", text)
        new = re.sub(r"not (\((?:[^()]|\([^()]*\))*\))", r"(1-bool\1)", new)
        if new == text:
            return text
        text = new


class Cell:
    def __init__(self, group, templates):
        attributes = group[2]
        self.name, self.area = group[1][0], float(attributes.get("area", 0))
        self.leakage_mean = float(attributes.get("cell_leakage_power", 0))
        self.leakage = [(g[2].get("when"), float(g[2]["value"])) for g in children(group, "leakage_power")]
        self.cap, self.edge_cap, self.out, self.arcs, self.power, self.setup = {}, {}, set(), {}, {}, []
        self.function = {}
        for pin in children(group, "pin"):
            name, a = pin[1][0], pin[2]
            if a.get("direction") == "output":
                self.out.add(name)
                self.function[name] = a.get("function")
            self.cap[name] = float(a.get("capacitance", 0))
            self.edge_cap[name] = [float(a.get(f"{edge}_capacitance", self.cap[name])) for edge in ("rise", "fall")]
            self.power[name] = [self.internal(g, templates) for g in children(pin, "internal_power")]
            for timing in children(pin, "timing"):
                t, kind = timing[2], timing[2].get("timing_type", "combinational")
                tables = {g[0]: Table(g, templates) for g in timing[3]}
                if kind == "setup_rising":
                    self.setup.append((name, tables))
                elif kind in ("combinational", "rising_edge"):
                    sense = "rising" if kind == "rising_edge" else t.get("timing_sense", "non_unate")
                    self.arcs.setdefault(name, []).append((t["related_pin"], sense, tables))
        self.ins = [p for p in self.cap if p not in self.out]
        self.flop = next((g for g in children(group, "ff")), None)
        if self.flop:
            self.clock = self.flop[2]["clocked_on"]
            self.next = expression(self.flop[2]["next_state"], self.ins)
        for name in list(self.function):
            text = self.function[name]
            order = self.ins + ([self.flop[1][0], self.flop[1][1]] if self.flop else [])
            self.function[name] = expression(text, order) if text else None

    @staticmethod
    def internal(group, templates):
        tables = {g[0]: Table(g, templates) for g in group[3]}
        both = tables.get("power")
        return (group[2].get("related_pin", "").split(), group[2].get("when"),
                tables.get("rise_power", both), tables.get("fall_power", both))


class Library:
    def __init__(self, path):
        root = liberty(path.read_text(errors="replace"))
        a = root[2]
        unit = lambda text, base: float(re.match(r"[\d.]+", text)[0]) * {"n": 1e-9, "p": 1e-12, "u": 1e-6, "m": 1e-3, "f": 1e-15}[re.sub(r"[\d.\s]", "", text)[0]]
        self.time = unit(a["time_unit"], "s") * 1e12
        self.cap = float(a["capacitive_load_unit"][0]) * {"ff": 1.0, "pf": 1000.0}[a["capacitive_load_unit"][1].lower()]
        self.leak = unit(a["leakage_power_unit"], "W")
        self.voltage = float(a["nom_voltage"])
        # of a check, the clock's transition takes the place of the load
        kinds = {"total_output_net_capacitance": "load", "related_pin_transition": "load"}
        templates = {}
        for g in children(root, "lu_table_template", "power_lut_template"):
            variables = [kinds.get(g[2][f"variable_{k}"], "slew") for k in (1, 2) if f"variable_{k}" in g[2]]
            templates[g[1][0]] = (variables, [numbers(g[2].get(f"index_{k}", [])) for k in (1, 2)])
        self.cells = {g[1][0]: g for g in children(root, "cell")}
        self.templates = templates

    def cell(self, name):
        if not isinstance(self.cells[name], Cell):
            self.cells[name] = Cell(self.cells[name], self.templates)
        return self.cells[name]


# --- the netlist -----------------------------------------------------------------------------------------------------

class Design:
    def __init__(self, folder):
        self.lib = Library(folder / "cells.lib")
        self.report = json.loads((folder / "report.json").read_text())
        module = json.loads((folder / "netlist.json").read_text())["modules"][self.report["top"]]
        self.ports = module["ports"]
        header = re.search(r"module " + re.escape(self.report["top"]) + r"\((.*?)\);", (folder / "netlist.v").read_text(), re.S)
        self.inputs = [p.strip() for p in header[1].split(",") if self.ports[p.strip()]["direction"] == "input"]
        self.cells = [(self.lib.cell(c["type"]), {p: b[0] for p, b in c["connections"].items() if b})
                      for c in module["cells"].values()]
        self.clk = self.ports["clk"]["bits"][0]
        self.driver, self.readers = {}, defaultdict(list)
        self.load, self.edge_load = Counter(), (Counter(), Counter())
        for i, (cell, pins) in enumerate(self.cells):
            for pin, net in pins.items():
                if pin in cell.out:
                    self.driver[net] = (i, pin)
                else:
                    self.load[net] += cell.cap[pin]
                    for load, capacitance in zip(self.edge_load, cell.edge_cap[pin]):
                        load[net] += capacitance
                    self.readers[net].append(i)
        for port in self.ports.values():
            if port["direction"] == "output":
                for net in port["bits"]:
                    for load in (self.load, *self.edge_load):
                        load[net] += OUTPUT_LOAD_FF / self.lib.cap

    def order(self):
        """Instances, each after those that it waits for."""
        waits = []
        for cell, pins in self.cells:
            related = {r for arcs in cell.arcs.values() for r, _, _ in arcs}
            waits.append(sum(1 for p, n in pins.items() if p in related and n in self.driver))
        ready = [i for i, w in enumerate(waits) if w == 0]
        for i in ready:
            yield i
            cell, pins = self.cells[i]
            for pin in cell.out & pins.keys():
                for reader in self.readers[pins[pin]]:
                    other, others = self.cells[reader]
                    related = {r for arcs in other.arcs.values() for r, _, _ in arcs}
                    for p, n in others.items():
                        if n == pins[pin] and p in related:
                            waits[reader] -= 1
                            if waits[reader] == 0:
                                ready.append(reader)

    def edges(self, sense, rise, fall):
        """For an output that rises and one that falls: the edges of the input that can cause it."""
        return {"positive_unate": ([rise], [fall]), "negative_unate": ([fall], [rise]),
                "rising": ([rise], [rise])}.get(sense, ([rise, fall], [rise, fall]))

    def delays(self):
        """Mean slews of nets, and a delay in ps for each driven net."""
        start = INPUT_SLEW_PS / self.lib.time
        self.slew, self.delay = defaultdict(lambda: (start, start)), {}
        for i in self.order():
            cell, pins = self.cells[i]
            for pin in cell.out & pins.keys():
                net, slews, delays = pins[pin], ([], []), []
                for related, sense, tables in cell.arcs.get(pin, []):
                    rise, fall = self.slew[pins[related]]
                    for k, edge in enumerate(("rise", "fall")):
                        causes = self.edges(sense, rise, fall)[k]
                        slew = sum(causes) / len(causes)
                        if f"cell_{edge}" in tables:
                            delays.append(tables[f"cell_{edge}"].at(self.load[net], slew) * self.lib.time)
                        if f"{edge}_transition" in tables:
                            slews[k].append(tables[f"{edge}_transition"].at(self.load[net], slew))
                self.slew[net] = tuple(sum(s) / len(s) if s else start for s in slews)
                self.delay[net] = sum(delays) / len(delays) if delays else 0.0

    def slack(self, clock_ns, scale):
        """Worst set-up slack in ns of the target: the greatest arrival of each edge, with the worst slew of it."""
        period = clock_ns / scale * 1000.0 / self.lib.time
        start = INPUT_SLEW_PS / self.lib.time
        arrival = defaultdict(lambda: [-1e9, -1e9])
        slew = defaultdict(lambda: [start, start])
        for name in self.inputs:
            for net in self.ports[name]["bits"]:
                if net != self.clk:
                    arrival[net] = [PORT_SHARE * period] * 2
        arrival[self.clk], slew[self.clk] = [0.0, 0.0], [0.0, 0.0]
        for i in self.order():
            cell, pins = self.cells[i]
            for pin in cell.out & pins.keys():
                net = pins[pin]
                best, edge_slew = [-1e9, -1e9], [0.0, 0.0]
                for related, sense, tables in cell.arcs.get(pin, []):
                    source = pins[related]
                    for k, edge in enumerate(("rise", "fall")):
                        if f"cell_{edge}" not in tables:
                            continue
                        for e in self.edges(sense, 0, 1)[k]:
                            at = arrival[source][e] + tables[f"cell_{edge}"].at(self.edge_load[k][net], slew[source][e])
                            best[k] = max(best[k], at)
                            if arrival[source][e] > -1e8:
                                edge_slew[k] = max(edge_slew[k], tables[f"{edge}_transition"].at(self.edge_load[k][net], slew[source][e]))
                arrival[net], slew[net] = best, edge_slew
        uncertainty = UNCERTAINTY * period
        worst = 1e9
        for port in self.ports.values():
            if port["direction"] == "output":
                for net in port["bits"]:
                    worst = min(worst, period - PORT_SHARE * period - uncertainty - max(arrival[net]))
        for cell, pins in self.cells:
            for pin, tables in cell.setup:
                net = pins[pin]
                for k, edge in enumerate(("rise_constraint", "fall_constraint")):
                    if edge in tables and arrival[net][k] > -1e8:
                        # the transition of an ideal clock is nothing
                        check = tables[edge].at(0.0, slew[net][k])
                        worst = min(worst, period - uncertainty - check - arrival[net][k])
        return worst * self.lib.time / 1000.0 * scale

    # --- activity ----------------------------------------------------------------------------------------------------

    def stimulus(self, folder):
        words = [w for w in (folder / "vectors" / "inputs.hex").read_text().split() if not w.startswith("//")]
        data = [n for p in self.inputs if p != "clk" for n in self.ports[p]["bits"]]
        samples = [int(w, 16) for w in words]
        rows = samples + samples[-1:] * self.report["latency"]
        return data, [[value >> k & 1 for k in range(len(data))] for value in rows]

    def simulate(self, folder):
        """Transitions of each net, settled and with inertial delays, and how long each pattern of a cell's pins stood."""
        data, rows = self.stimulus(folder)
        level = defaultdict(lambda: None)
        level.update({"0": 0, "1": 1})
        gates, flops, fanout = [], [], defaultdict(list)
        for i, (cell, pins) in enumerate(self.cells):
            if cell.flop:
                flops.append(i)
                continue
            for pin in cell.out & pins.keys():
                nets = tuple(pins[p] for p in cell.ins)
                k = len(gates)
                gates.append((cell.function[pin], nets, pins[pin], max(1, round(self.delay[pins[pin]])), {}))
                for net in set(nets):
                    fanout[net].append(k)
        state = {i: None for i in flops}
        settled, inertial, patterns = Counter(), Counter(), [Counter() for _ in self.cells]
        def value(k):
            function, nets, _, _, known = gates[k]
            key = tuple(level[n] for n in nets)
            if key not in known:
                known[key] = ternary(function, key)
            return known[key]
        begun = False
        for row in rows:
            before = dict(level)
            agenda, pending, serial = [], {}, 0
            def plan(net, new, time):
                nonlocal serial
                if net in pending:
                    if pending[net][1] == new:
                        return
                    del pending[net]
                if level[net] == new:
                    return
                serial += 1
                pending[net] = (serial, new)
                heapq.heappush(agenda, (time, serial, net))
            new_state = {i: ternary(self.cells[i][0].next, tuple(level[self.cells[i][1][p]] for p in self.cells[i][0].ins)) for i in flops}
            for net, bit in zip(data, row):
                plan(net, bit, 0)
            for i in flops:
                cell, pins = self.cells[i]
                for pin in cell.out & pins.keys():
                    s = new_state[i]
                    levels = tuple([None] * len(cell.ins)) + (s, None if s is None else 1 - s)
                    out = None if s is None else int(cell.function[pin](levels))
                    plan(pins[pin], out, max(1, round(self.delay[pins[pin]])))
            state = new_state
            if not begun:
                for k in range(len(gates)):
                    if (v := value(k)) is not None:
                        plan(gates[k][2], v, gates[k][3])
                begun = True
            while agenda:
                time, active = agenda[0][0], {}
                while agenda and agenda[0][0] == time:
                    _, number, net = heapq.heappop(agenda)
                    if net in pending and pending[net][0] == number:
                        new = pending.pop(net)[1]
                        if level[net] is not None and new is not None:
                            inertial[net] += 1
                        level[net] = new
                        for k in fanout[net]:
                            active[k] = True
                for k in active:
                    plan(gates[k][2], value(k), time + gates[k][3])
            for net, new in level.items():
                old = before.get(net)
                if old is not None and new is not None and old != new:
                    settled[net] += 1
            for i, (cell, pins) in enumerate(self.cells):
                patterns[i][tuple(self.full(cell, pins, level, state.get(i)))] += 1
        return settled, inertial, patterns, len(rows)

    def full(self, cell, pins, level, state):
        """Levels of all pins of a cell, its open outputs among them."""
        values = [level[pins[p]] if p in pins else None for p in cell.ins]
        inner = tuple(values) + ((state, None if state is None else 1 - state) if cell.flop else ())
        for pin in sorted(cell.out):
            known = pin in pins and level[pins[pin]] is not None
            if known:
                values.append(level[pins[pin]])
            elif cell.flop and state is not None and cell.function[pin]:
                values.append(int(cell.function[pin](inner)))
            else:
                values.append(None)
        return values

    def energy(self, moves, patterns, cycles):
        """Energy of a cycle in J without leakage, and leakage in W."""
        joule = self.lib.cap * 1e-15
        v2 = self.lib.voltage ** 2
        total = leak = 0.0
        conditions = {}
        def share(i, cell, when):
            if when is None:
                return 1.0
            key = (cell.name, when)
            if key not in conditions:
                conditions[key] = expression(when, cell.ins + sorted(cell.out))
            held = sum(n for p, n in patterns[i].items() if ternary(conditions[key], p) == 1)
            return held / cycles
        mean = lambda tables, load, slews: sum(x := [t.at(load, s) for t, s in zip(tables, slews) if t]) / len(x) if any(tables) else 0.0
        for i, (cell, pins) in enumerate(self.cells):
            for pin, net in pins.items():
                rate = moves[net] / cycles
                if pin in cell.out:
                    total += rate * self.load[net] * joule * v2 / 2
                    total += self.inside(i, cell, pins, pin, self.load[net], rate, moves, cycles, share, mean) * joule
                elif cell.flop and pin == cell.clock:
                    total += cell.cap[pin] * joule * v2
                    slews = self.slew[net]
                    for _, when, rise, fall in cell.power[pin]:
                        both = sum(t.at(0.0, s) for t, s in zip((rise, fall), slews) if t)
                        total += share(i, cell, when) * both * joule
                else:
                    for _, when, rise, fall in cell.power[pin]:
                        total += rate * share(i, cell, when) * mean((rise, fall), 0.0, self.slew[net]) * joule
            if cell.flop:
                connected = [p for p in cell.out if p in pins]
                for pin in cell.out - pins.keys():
                    if connected:
                        rate = moves[pins[connected[0]]] / cycles
                        total += self.inside(i, cell, pins, pin, 0.0, rate, moves, cycles, share, mean) * joule
            stated = [(share(i, cell, w), v) for w, v in cell.leakage if w]
            leak += sum(s * v for s, v in stated) * self.lib.leak
            leak += max(0.0, 1 - sum(s for s, _ in stated)) * cell.leakage_mean * self.lib.leak
        return total, leak

    def inside(self, i, cell, pins, pin, load, rate, moves, cycles, share, mean):
        ways = []
        for related, when, rise, fall in cell.power[pin]:
            for p in related or cell.ins:
                if p not in pins:
                    continue
                slew = sum(self.slew[pins[p]]) / 2
                weight = 2.0 if cell.flop and p == cell.clock else moves[pins[p]] / cycles
                ways.append((weight * share(i, cell, when), mean((rise, fall), load, (slew, slew))))
        weights = sum(w for w, _ in ways)
        if not ways:
            return 0.0
        value = sum(w * e for w, e in ways) / weights if weights > 0 else sum(e for _, e in ways) / len(ways)
        return rate * value


def ternary(function, values):
    """The value of a function, or None if those that are not known decide."""
    unknown = [k for k, v in enumerate(values) if v is None]
    seen = set()
    for pattern in range(1 << len(unknown)):
        levels = list(values)
        for bit, k in enumerate(unknown):
            levels[k] = pattern >> bit & 1
        seen.add(int(function(levels)))
        if len(seen) > 1:
            return None
    return seen.pop()


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    folder = Path(sys.argv[1])
    design = Design(folder)
    report = design.report
    figure = lambda name: next((f for f in report["figures"] if f["name"] == name), None)
    factor = lambda f: float(m[1]) if (m := re.search(r"(?:energy|delays) × ([\d.]+)", f["method"])) else 1.0
    ours = {"cells": len(design.cells), "area": sum(c.area for c, _ in design.cells) * 1e-6}
    if (f := figure("set-up slack")) is not None:
        ours["set-up slack"] = design.slack(report["clock_ns"], factor(f))
    if (f := figure("energy per inference")) is not None:
        design.delays()
        settled, inertial, patterns, cycles = design.simulate(folder)
        for name, moves in (("energy per inference", inertial), ("energy per inference, settled", settled)):
            dynamic, leak = design.energy(moves, patterns, cycles)
            ours[name] = (dynamic * factor(f) + leak * report["clock_ns"] * 1e-9) * 1e9
    bad = False
    for name, value in ours.items():
        theirs = figure(name)["value"]
        off = abs(value - theirs) / max(abs(theirs), 1e-30)
        bad |= off > TOLERANCE
        print(f"{name}: report {theirs:.6g}, recomputed {value:.6g}, {100 * off:.2f} % off{'' if off <= TOLERANCE else '  WRONG'}")
    raise SystemExit(1 if bad else 0)


if __name__ == "__main__":
    main()
