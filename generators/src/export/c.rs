//! C99: a header and a source file, which C++ compilers take too.
//!
//! Arithmetic is modulo two to the power of the width, so it is done on unsigned numbers; two assertions in the source say what
//! else of the compiler is needed. A group of statements is a function with one loop over the events of a block, which
//! compilers vectorise; functions are called through an array, so that they stay as small as they are.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use sim::batch::Kind;

use super::Source;
use super::form::{Form, Group, KINDS, Move, Place, Port, limits};
use super::header::{self, comment};
use super::statement::{Expression, Operator, Statement};

/// Numbers of a table in a line.
const NUMBERS: usize = 16;

/// The header and the source file.
pub fn sources(form: &Form) -> Vec<Source> {
    let name = &form.name;
    vec![
        Source { name: format!("{name}.h"), text: header_file(form) },
        Source { name: format!("{name}.c"), text: source_file(form) },
    ]
}

/// The name of a type.
pub fn type_of(kind: Kind) -> &'static str {
    match kind {
        Kind::I8 => "int8_t",
        Kind::I16 => "int16_t",
        Kind::I32 => "int32_t",
        Kind::I64 => "int64_t",
        Kind::I128 => "wide_t",
        Kind::F32 => unreachable!("a form has integers only"),
    }
}

/// Declaration of the parameters that are a network's ports.
fn parameters(form: &Form) -> String {
    format!("{}, {}", pointers("const ", &form.inputs), pointers("", &form.outputs))
}

fn pointers(constant: &str, ports: &[Port]) -> String {
    let pointer = |port: &Port| format!("{constant}{} *{}", type_of(port.kind), port.name);
    ports.iter().map(pointer).collect::<Vec<_>>().join(", ")
}

fn header_file(form: &Form) -> String {
    let Form { name, .. } = form;
    let guard = format!("HWGEN_{}_H", name.to_ascii_uppercase());
    let mut text = comment(&header::lines(form), "/*", " *", " */");
    let _ = write!(
        text,
        "#ifndef {guard}\n#define {guard}\n\n#include <stddef.h>\n#include <stdint.h>\n\n#ifdef __cplusplus\nextern \"C\" {{\n#endif\n\n"
    );
    for port in form.inputs.iter().chain(&form.outputs) {
        let constant = format!("{}_{}", name.to_ascii_uppercase(), port.name.to_ascii_uppercase());
        let (lo, hi) = port.range();
        let _ = write!(
            text,
            "/* {} */\n#define {constant}_COUNT {}\n#define {constant}_LEAST {}\n#define {constant}_GREATEST {}\n\n",
            header::of_port(port),
            port.ranges.len(),
            literal(port.kind, lo.into()),
            literal(port.kind, hi.into())
        );
    }
    let parameters = parameters(form);
    let _ = write!(
        text,
        "/* Results of so many events, one after the other; returns how many there are: fewer than asked for if an integer of\n \
           * the next event is out of its range, or if there is no memory. */\nsize_t {name}_run(size_t events, {parameters});\n\n\
         /* Results of one event; returns 1, or 0 for the same reasons. */\nint {name}_event({parameters});\n\n\
         #ifdef __cplusplus\n}}\n#endif\n\n#endif\n"
    );
    text
}

fn source_file(form: &Form) -> String {
    let Form { name, .. } = form;
    let mut text = comment(&header::lines(form), "/*", " *", " */");
    let _ = write!(text, "#include \"{name}.h\"\n\n#include <stdlib.h>\n\n");
    let mut body = String::new();
    let mut used = BTreeSet::new();
    form.groups.iter().enumerate().for_each(|(k, group)| body += &group_function(form, k, group, &mut used));
    text += "/* narrower numbers keep the low bits, and shifts to the right keep the sign */\n\
             typedef char conversion_keeps_low_bits[(int8_t)384 == -128 ? 1 : -1];\n\
             typedef char shift_keeps_sign[(-5 >> 1) == -3 ? 1 : -1];\n\n";
    if form.kinds.contains(&Kind::I128) {
        text +=
            "typedef __int128 wide_t;\n#define WIDE(high, low) ((wide_t)((unsigned __int128)(high) << 64 | (low)))\n\n";
    }
    let _ = write!(text, "/* events of a block */\n#define LANES {}\n\n", form.lanes);
    form.tables
        .iter()
        .for_each(|((kind, k), entries)| text += &table(*kind, &format!("table{k}_{}", kind.bits()), entries));
    text += &work(form);
    used.iter().for_each(|(operator, kind)| text += &helper(*operator, *kind));
    text += &moves(form);
    text += &body;
    form.inputs.iter().filter(|port| port.is_checked()).for_each(|port| text += &fitting(port));
    text + &entries(form)
}

/// The slots of a block of events.
fn work(form: &Form) -> String {
    let mut text = "/* what is kept between functions, of each event of a block */\nstruct work {\n".to_owned();
    for (kind, count) in KINDS.into_iter().zip(form.slots).filter(|(_, count)| *count > 0) {
        let _ = writeln!(text, "    {} i{}[{count}][LANES];", type_of(kind), kind.bits());
    }
    text + "};\n\n"
}

fn table(kind: Kind, name: &str, entries: &[i128]) -> String {
    let mut text = format!("static const {} {name}[{}] = {{\n", type_of(kind), entries.len());
    for line in entries.chunks(NUMBERS) {
        let numbers: Vec<String> = line.iter().map(|v| literal(kind, *v)).collect();
        let _ = writeln!(text, "    {},", numbers.join(", "));
    }
    text + "};\n\n"
}

/// A number; the least of a type is no literal in C.
fn literal(kind: Kind, value: i128) -> String {
    match kind {
        Kind::I128 => format!("WIDE({:#x}ULL, {:#x}ULL)", (value >> 64) as u64, value as u64),
        Kind::I64 if value == i64::MIN.into() => format!("({}LL - 1)", value + 1),
        Kind::I64 => format!("{value}LL"),
        _ if value == i32::MIN.into() => format!("({} - 1)", value + 1),
        _ => value.to_string(),
    }
}

/// The unsigned type in which a type's arithmetic is done.
fn unsigned(kind: Kind) -> &'static str {
    match kind {
        Kind::I128 => "unsigned __int128",
        Kind::I64 => "uint64_t",
        _ => "uint32_t",
    }
}

fn operator_name(operator: Operator) -> &'static str {
    match operator {
        Operator::Add => "add",
        Operator::Subtract => "sub",
        Operator::Multiply => "mul",
        Operator::Left => "shl",
        Operator::Right => "shr",
        Operator::Min => "min",
        Operator::Max => "max",
        Operator::And => "and",
        Operator::Or => "or",
        Operator::Xor => "xor",
        Operator::Less => "less",
        Operator::Equal => "equal",
    }
}

/// The function of an operator on a type.
fn helper(operator: Operator, kind: Kind) -> String {
    let (t, u) = (type_of(kind), unsigned(kind));
    let modular = |symbol: &str| format!("({t})(({u})a {symbol} ({u})b)");
    let plain = |symbol: &str| format!("({t})(a {symbol} b)");
    let result = match operator {
        Operator::Add => modular("+"),
        Operator::Subtract => modular("-"),
        Operator::Multiply => modular("*"),
        Operator::Left => format!("({t})(({u})a << b)"),
        Operator::Right => plain(">>"),
        Operator::And => plain("&"),
        Operator::Or => plain("|"),
        Operator::Xor => plain("^"),
        Operator::Less => plain("<"),
        Operator::Equal => plain("=="),
        Operator::Min => "a < b ? a : b".to_owned(),
        Operator::Max => "a > b ? a : b".to_owned(),
    };
    let b = if matches!(operator, Operator::Left | Operator::Right) { "int" } else { t };
    let name = operator_name(operator);
    format!("static inline {t} {name}{}({t} a, {b} b) {{ return {result}; }}\n", kind.bits())
}

/// The functions that take a block's inputs in and give its outputs out.
fn moves(form: &Form) -> String {
    let loop_of = |of_port: &dyn Fn(&Move) -> String, moves: &[Move]| {
        let mut text = "    for (int i = 0; i < n; i++) {\n".to_owned();
        moves.iter().for_each(|each| text += &of_port(each));
        text + "    }\n}\n\n"
    };
    let [inputs, outputs] = [pointers("const ", &form.inputs), pointers("", &form.outputs)];
    let at = |port: &Port, element: usize| format!("{}[(size_t)i * {} + {element}]", port.name, port.ranges.len());
    let load = |each: &Move| {
        let Place::Slot(kind, slot) = each.place else { unreachable!("inputs go into slots") };
        let from = at(&form.inputs[each.port], each.element);
        format!("        w->i{}[{slot}][i] = ({}){from};\n", kind.bits(), type_of(kind))
    };
    let store = |each: &Move| {
        let port = &form.outputs[each.port];
        let from = match each.place {
            Place::Slot(kind, slot) => format!("({})w->i{}[{slot}][i]", type_of(port.kind), kind.bits()),
            Place::Constant(value) => literal(port.kind, value),
        };
        format!("        {} = {from};\n", at(port, each.element))
    };
    // a network of constants loads or keeps nothing
    let unused = if form.loads.is_empty() { "    (void)w;\n" } else { "" };
    let ignored: String = (0..form.inputs.len())
        .filter(|k| form.loads.iter().all(|load| load.port != *k))
        .map(|k| format!("    (void){};\n", form.inputs[k].name))
        .collect();
    let mut text = format!("\nstatic void load(struct work *w, {inputs}, int n)\n{{\n{unused}{ignored}");
    text += &loop_of(&load, &form.loads);
    let constant = form.stores.iter().all(|store| matches!(store.place, Place::Constant(_)));
    let unused = if constant { "    (void)w;\n" } else { "" };
    let _ = write!(text, "static void store(const struct work *w, {outputs}, int n)\n{{\n{unused}");
    text + &loop_of(&store, &form.stores)
}

/// A group as a function.
fn group_function(form: &Form, k: usize, group: &Group, used: &mut BTreeSet<(Operator, Kind)>) -> String {
    let mut text = format!("static void part{k}(struct work *w, int n)\n{{\n    for (int i = 0; i < n; i++) {{\n");
    for (value, slot) in &group.reads {
        let kind = form.kind(*value);
        let _ = writeln!(text, "        {} v{value} = w->i{}[{slot}][i];", type_of(kind), kind.bits());
    }
    for statement in &group.statements {
        let _ = match statement {
            Statement::Let(value, made) => {
                let kind = form.kind(*value);
                writeln!(text, "        {} v{value} = {};", type_of(kind), expression(kind, made, used))
            }
            Statement::Add(value, made) => {
                let kind = form.kind(*value);
                used.insert((Operator::Add, kind));
                let made = expression(kind, made, used);
                writeln!(text, "        v{value} = add{}(v{value}, {made});", kind.bits())
            }
        };
    }
    for (value, slot) in &group.writes {
        let _ = writeln!(text, "        w->i{}[{slot}][i] = v{value};", form.kind(*value).bits());
    }
    text + "    }\n}\n\n"
}

fn expression(kind: Kind, made: &Expression, used: &mut BTreeSet<(Operator, Kind)>) -> String {
    match made {
        Expression::Value(v) => format!("v{v}"),
        Expression::Constant(value) => literal(kind, *value),
        Expression::Converted(_, v) => format!("({})v{v}", type_of(kind)),
        Expression::Entry(k, place) => format!("table{k}_{}[{}]", kind.bits(), expression(kind, place, used)),
        Expression::Choose(operands) => {
            let [condition, a, b] = &**operands;
            let t = type_of(kind);
            let [condition, a, b] = [condition, a, b].map(|e| expression(kind, e, used));
            format!("({t})({condition} != 0 ? {a} : {b})")
        }
        Expression::Binary(operator, operands) => {
            used.insert((*operator, kind));
            let a = expression(kind, &operands[0], used);
            let b = match (&operands[1], operator) {
                (Expression::Constant(by), Operator::Left | Operator::Right) => by.to_string(),
                (b, _) => expression(kind, b, used),
            };
            format!("{}{}({a}, {b})", operator_name(*operator), kind.bits())
        }
    }
}

/// The function that counts the events before the first that has an integer out of its range.
fn fitting(port: &Port) -> String {
    let Port { name, kind, ranges, .. } = port;
    let (t, count) = (type_of(*kind), ranges.len());
    let (least, greatest) = limits(*kind);
    let mut text = String::new();
    let mut conditions = Vec::new();
    let mut side = |what: &str, sign: &str, ends: Vec<i128>, free: i128| {
        if ends.iter().all(|end| *end == free) {
            return;
        }
        if ends.iter().all(|end| *end == ends[0]) {
            conditions.push(format!("({name}[e * {count} + k] {sign} {})", literal(*kind, ends[0])));
            return;
        }
        text += &table(*kind, &format!("{what}_{name}"), &ends);
        conditions.push(format!("({name}[e * {count} + k] {sign} {what}_{name}[k])"));
    };
    side("least", ">=", ranges.iter().map(|r| r.0.into()).collect(), least);
    side("greatest", "<=", ranges.iter().map(|r| r.1.into()).collect(), greatest);
    let _ = write!(
        text,
        "/* events before the first that has an integer out of its range */\n\
         static size_t fitting_{name}(size_t events, const {t} *{name})\n{{\n    for (size_t e = 0; e < events; e++) {{\n        \
         int fits = 1;\n        for (size_t k = 0; k < {count}; k++)\n            fits &= {};\n        if (!fits)\n            \
         return e;\n    }}\n    return events;\n}}\n\n",
        conditions.join(" & ")
    );
    text
}

/// The functions that others call.
fn entries(form: &Form) -> String {
    let Form { name, .. } = form;
    let parameters = parameters(form);
    let mut text = String::new();
    if !form.groups.is_empty() {
        text += "static void (*const parts[])(struct work *, int) = {\n";
        (0..form.groups.len()).for_each(|k| text += &format!("    part{k},\n"));
        text += "};\n\n";
    }
    let _ = write!(text, "size_t {name}_run(size_t events, {parameters})\n{{\n");
    for port in form.inputs.iter().filter(|port| port.is_checked()) {
        let _ = writeln!(text, "    events = fitting_{0}(events, {0});", port.name);
    }
    text += "    struct work *w = (struct work *)malloc(sizeof *w);\n    if (!w)\n        return 0;\n    \
             for (size_t done = 0; done < events; done += LANES) {\n        \
             int n = events - done < LANES ? (int)(events - done) : LANES;\n";
    let at = |port: &Port| format!("{} + done * {}", port.name, port.ranges.len());
    let [inputs, outputs] =
        [&form.inputs, &form.outputs].map(|ports| ports.iter().map(at).collect::<Vec<_>>().join(", "));
    let _ = writeln!(text, "        load(w, {inputs}, n);");
    if !form.groups.is_empty() {
        text += "        for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)\n            parts[k](w, n);\n";
    }
    let _ = write!(text, "        store(w, {outputs}, n);\n    }}\n    free(w);\n    return events;\n}}\n\n");
    let names: Vec<&str> = form.inputs.iter().chain(&form.outputs).map(|p| &*p.name).collect();
    let _ =
        write!(text, "int {name}_event({parameters})\n{{\n    return {name}_run(1, {}) == 1;\n}}\n", names.join(", "));
    text
}
