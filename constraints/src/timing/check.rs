//! What every writer relies on.

use hdl::diag::{Diagnostic, Diagnostics};
use hdl::names::{check_identifier, quoted};

use super::Constraints;

impl Constraints {
    /// Checks that every name is a plain identifier, so that none can break out of a Tcl word, that names are unique,
    /// that ports have bits and that the outside leaves some of the period to the design.
    ///
    /// # Errors
    /// `constraint`, the first violation.
    pub fn check(&self) -> Result<(), Diagnostics> {
        self.violation().map_or(Ok(()), |why| Err(Diagnostic::error("constraint", why).into()))
    }

    fn violation(&self) -> Option<String> {
        self.bad_name().or_else(|| self.bad_register_port()).or_else(|| self.bad_time())
    }

    fn bad_name(&self) -> Option<String> {
        let clock_and_reset = self.clock.port.iter().chain(self.reset.as_ref().map(|r| &r.port));
        let mut ports: Vec<&String> = clock_and_reset.chain(self.ports().map(|p| &p.name)).collect();
        for name in ports.iter().copied().chain([&self.top, &self.clock.name]) {
            if let Err(why) = check_identifier(name) {
                return Some(format!("name {}: {why}", quoted(name)));
            }
        }
        ports.sort();
        ports.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| format!("two ports are called {}", quoted(pair[0])))
    }

    fn bad_register_port(&self) -> Option<String> {
        let missing = |name: &&String| !self.ports().any(|p| p.name == **name);
        self.register_port
            .iter()
            .find(missing)
            .map(|name| format!("the register port names {}, which is no port", quoted(name)))
    }

    fn bad_time(&self) -> Option<String> {
        let period = self.clock.period;
        if period.0 == 0 {
            return Some(String::from("the clock period is zero"));
        }
        if let Some(port) = self.ports().find(|p| p.width == 0) {
            return Some(format!("port {} has no bits", quoted(&port.name)));
        }
        let reset = self.reset.iter().map(|r| (&r.port, r.delay));
        let delays = self.ports().map(|p| (&p.name, p.delay)).chain(reset);
        let uncertainty = self.clock.uncertainty;
        delays.into_iter().find(|(_, delay)| delay.0.saturating_add(uncertainty.0) >= period.0).map(|(name, delay)| {
            format!(
                "port {}: {delay} ns outside and {uncertainty} ns of uncertainty leave nothing of the period, \
                     {period} ns",
                quoted(name)
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use hdl::dfg::Reset;

    use super::super::tests::adder;
    use super::super::{Budget, Constraints, Picoseconds};

    fn good() -> Constraints {
        let module = adder(true, Reset::Synchronous);
        Constraints::of(&module, Picoseconds(25_000), &Budget::default(), &[]).unwrap()
    }

    #[test]
    fn every_violation_is_named() {
        type Case = (fn(&mut Constraints), &'static str);
        let cases: [Case; 9] = [
            (|c| c.top = "a; exec rm".into(), "`a; exec rm`"),
            (|c| c.inputs[0].name = "x}]".into(), "no letter, digit or underscore"),
            (|c| c.clock.name = "[exit]".into(), "a name begins with"),
            (|c| c.inputs[0].name = "x".repeat(10_000), "too many"),
            (|c| c.outputs[0].name = "x".into(), "two ports are called `x`"),
            (|c| c.outputs[0].width = 0, "has no bits"),
            (|c| c.register_port.push("gone".into()), "`gone`, which is no port"),
            (|c| c.clock.period = Picoseconds(0), "period is zero"),
            (|c| c.outputs[0].delay = Picoseconds(24_600), "leave nothing of the period"),
        ];
        for (spoil, reason) in cases {
            let mut c = good();
            spoil(&mut c);
            let error = c.check().unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        assert!(good().check().is_ok());
    }
}
