//! Verilog that exists already, imported as a black box with a parameter and instantiated in the DSL.

use std::sync::Arc;

use hdl::dfg::ModuleBuilder;
use hdl::dfg::eval::Behaviour;
use hdl::import::{Options, import};
use hdl::num::Format;
use hdl::random::Numbers;

use crate::support;

const SCALER: &str = "
module scaler #(parameter FACTOR = 1, WIDTH = 4) (a, b, y);
  input signed [WIDTH-1:0] a;
  input b;
  output signed [WIDTH+3:0] y;
  assign y = b ? a * FACTOR : 0;
endmodule
";

#[test]
fn imported_verilog_runs_in_icarus_as_its_behaviour_says() {
    let options =
        Options { parameters: vec![("FACTOR".to_owned(), -3), ("WIDTH".to_owned(), 6)], ..Options::default() };
    let scaler = import(SCALER, "scaler", &options).unwrap();
    let m = ModuleBuilder::new("user");
    let x = m.input("x", Format::signed(6, 0).unwrap());
    let on = m.input("on", Format::BIT);
    let y = m.instance(&scaler, "scale", &[x.delay(1), on])[0];
    m.output("y", (y + x).delay(1));
    let module = m.finish().unwrap();
    let mut numbers = Numbers::new(41);
    let stimulus = (0..100).map(|_| (numbers.inputs(&module), false));
    let mut run = support::run(Arc::clone(&module), stimulus.collect());
    let behaviour: Behaviour = Arc::new(|x| vec![if x[1] == 1 { -3 * x[0] } else { 0 }]);
    run.external.0 = SCALER.to_owned();
    run.external.1.insert("scaler".to_owned(), behaviour);
    support::simulate(&[run]);
}
