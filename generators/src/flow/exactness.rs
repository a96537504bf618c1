//! What must be said of a network's numbers: where the framework's own sums are not exact, and what is not built.

use hdl::names::quoted;

use crate::failure::{Failure, Result};
use crate::import::lift::Imported;
use crate::model::{Graph, Output, Step};
use crate::network::design::random_events;

/// Random events on which doubtful sums are moved.
const MOVED_EVENTS: usize = 16;
/// Their seed.
const MOVED_SEED: u64 = 2;

/// Where the framework's own result depends on the order of its additions, one line a layer.
pub fn doubts(network: &Imported) -> String {
    let mut text = String::new();
    for doubt in &network.doubts {
        text += &format!(
            "layer {}: {} of {} steps may lie one integer off in the framework; a sum exactly there gives the neighbouring level\n",
            quoted(&doubt.layer),
            doubt.steps,
            doubt.of
        );
    }
    text
}

/// What is done outside the hardware, one line an output with a function that is no scale.
pub fn outside(graph: &Graph) -> String {
    let mut text = String::new();
    for output in graph.outputs() {
        let Some(decode) = &output.decode else {
            continue;
        };
        let function = match decode.softmax {
            Some(_) => Some("softmax"),
            None if decode.steps.iter().any(Step::is_approximate) => Some("function"),
            None => None,
        };
        if let Some(function) = function {
            text += &format!(
                "output {}: the {function} at its end stays outside the hardware, which gives the integers in front of it; --output-format u8.8 builds it\n",
                quoted(&output.name)
            );
        }
    }
    text
}

/// How far outputs may be off if the framework's sums are not exact, one line an output.
pub fn bounds(network: &Imported) -> Result<String> {
    let events = random_events(&network.graph, MOVED_EVENTS, MOVED_SEED);
    let seen = network.seen(&events).map_err(Failure::user)?;
    let outputs = network.graph.outputs().iter().zip(network.bounds()).zip(seen);
    let line = |((output, bound), seen): ((&Output, Option<f64>), f64)| {
        let name = quoted(&output.name);
        let proved = match bound {
            Some(bound) => format!(
                "at most {bound:.3e} from the framework's number, whatever the order of its additions, if all doubtful steps add up"
            ),
            None => "no bound, because an exponential is at its end".to_owned(),
        };
        format!(
            "output {name}: {proved}; {seen:.3e} at most with doubtful sums moved at random, seen on {MOVED_EVENTS} random events\n"
        )
    };
    Ok(outputs.map(line).collect())
}
