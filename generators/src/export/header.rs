//! What every file says at its head.

use super::form::{Form, Port};

/// What a file is, in lines.
pub fn lines(form: &Form) -> Vec<String> {
    let mut lines = vec![
        format!("{}, written by hwgen {}.", form.shown, env!("CARGO_PKG_VERSION")),
        "SPDX-License-Identifier: Apache-2.0".to_owned(),
        String::new(),
        "Bit for bit the integers of the hardware. An event is the elements of each input in row-major order; events stand one".to_owned(),
        "after the other.".to_owned(),
        String::new(),
    ];
    lines.extend(form.inputs.iter().map(|port| format!("{}: {}", port.name, of_port(port))));
    lines.extend(form.outputs.iter().map(|port| format!("{}: {}", port.name, of_port(port))));
    lines
}

/// What a port is.
pub fn of_port(port: &Port) -> String {
    let (lo, hi) = port.range();
    format!("{}, shape {:?}, integers from {lo} to {hi}", port.shown, port.shape)
}

/// Lines as a comment.
pub fn comment(lines: &[String], first: &str, middle: &str, last: &str) -> String {
    let mut text = format!("{first}\n");
    for line in lines {
        text += format!("{middle} {line}").trim_end();
        text.push('\n');
    }
    text + last + "\n"
}
