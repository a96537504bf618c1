//! What nets and instances are called on both sides.

use std::collections::HashMap;

use sim::netlist::Netlist;

/// Nets of a netlist, with those that are other names for them.
pub struct Names<'n> {
    /// What drives a net that is only another name.
    drivers: HashMap<&'n str, &'n str>,
    /// Other names of a net.
    others: HashMap<&'n str, Vec<&'n str>>,
}

impl<'n> Names<'n> {
    pub fn of(netlist: &'n Netlist) -> Self {
        let aliases = netlist.aliases.iter();
        let mut names =
            Self { drivers: aliases.map(|(a, b)| (a.as_str(), b.as_str())).collect(), others: HashMap::new() };
        for (name, _) in &netlist.aliases {
            let net = names.net(name);
            names.others.entry(net).or_default().push(name);
        }
        names
    }

    /// The net that a name is for, as its driver calls it.
    pub fn net(&self, name: &'n str) -> &'n str {
        let mut net = name;
        // a ring of names is an error of another place
        for _ in 0..=self.drivers.len() {
            match self.drivers.get(net) {
                Some(driver) => net = driver,
                None => break,
            }
        }
        net
    }

    /// The names of a net that come from the design.
    pub fn all(&self, net: &'n str) -> impl Iterator<Item = &'n str> {
        let others = self.others.get(net).into_iter().flatten().copied();
        std::iter::once(net).chain(others).filter(|name| !is_made_up(name))
    }
}

/// Whether Yosys made the name, `_012_` or `_012_[3]`, or we did, `(…)`: it then means another thing on each side.
pub fn is_made_up(name: &str) -> bool {
    let bus = name.split_once('[').map_or(name, |(bus, _)| bus);
    let digits = bus.strip_prefix('_').and_then(|name| name.strip_suffix('_'));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    digits.is_some_and(is_number) || name.starts_with('(')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_followed_to_the_driver() {
        let aliases = [("b", "a"), ("c", "b"), ("_1_", "a"), ("x", "y"), ("y", "x")];
        let netlist =
            Netlist { aliases: aliases.map(|(a, b)| (a.to_owned(), b.to_owned())).into(), ..Netlist::default() };
        let names = Names::of(&netlist);
        assert_eq!(names.net("c"), "a");
        assert_eq!(names.all("a").collect::<Vec<_>>(), ["a", "b", "c"]);
        names.net("x");
        assert!(is_made_up("_012_") && is_made_up("_0_[1]") && is_made_up("(u CO)"));
        assert!(!is_made_up("_a_") && !is_made_up("__"));
    }
}
