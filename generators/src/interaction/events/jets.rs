//! Toy jets of five kinds: light quarks, gluons, and boosted W, Z and top that decay to quarks.
//!
//! A boosted particle decays isotropically in its rest frame and is boosted to the jet's momentum; every parton then
//! splits into hadrons, a gluon more often and wider. It is a toy: gluons are told from quarks by their multiplicity
//! alone, while W, Z and top differ by their mass and by the number of prongs, as in the published data sets.

use super::{Jet, normal, rounded};

/// What a jet comes from, in the order of a network's scores.
pub const CLASSES: [&str; 5] = ["gluon", "quark", "W", "Z", "top"];

/// Masses in GeV.
const W: f64 = 80.4;
const Z: f64 = 91.2;
const TOP: f64 = 172.5;
/// The jet's transverse momentum in GeV and its relative spread.
const MOMENTUM: f64 = 1000.0;
const SPREAD: f64 = 0.1;
/// Fewest splittings of a quark and of a gluon, up to three more, and the transverse momentum in GeV that each gives.
const SPLITTINGS: [usize; 2] = [5, 9];
const KICK: [f64; 2] = [2.0, 4.0];
/// Scales of the features: share of the jet's momentum, and angles across it in rad.
const SHARE_SCALE: f64 = 0.25;
const ANGLE_SCALE: f64 = 0.05;

/// Momentum along the jet and across it, and energy, in GeV.
type Momentum = [f64; 4];

/// A random jet of any class, its `particles` hardest ones.
pub fn jet(particles: usize, random: &mut fastrand::Rng) -> Jet {
    let class = random.usize(0..CLASSES.len());
    let momentum = MOMENTUM * (1.0 + SPREAD * normal(random)).max(0.5);
    let mut hadrons = Vec::new();
    for parton in partons(class, momentum, random) {
        hadrons.extend(fragments(parton, class == 0, random));
    }
    hadrons.sort_by(|a, b| b[0].total_cmp(&a[0]));
    let total: f64 = hadrons.iter().map(|h| h[0]).sum();
    let found = hadrons.len().min(particles);
    let mut rows: Vec<Vec<f64>> = hadrons[..found]
        .iter()
        .map(|[along, x, y, _]| {
            let angle = |across: f64| (across / along / ANGLE_SCALE).clamp(-7.5, 7.5);
            let features = [along / total / SHARE_SCALE, angle(*x), angle(*y)];
            features.map(rounded).to_vec()
        })
        .collect();
    rows.resize(particles, vec![0.0; 3]);
    Jet { particles: rows, valid: (0..particles).map(|i| u8::from(i < found)).collect(), class }
}

fn partons(class: usize, momentum: f64, random: &mut fastrand::Rng) -> Vec<Momentum> {
    let jet = |mass: f64| [momentum, 0.0, 0.0, momentum.hypot(mass)];
    match class {
        0 | 1 => vec![jet(0.0)],
        2 => decay(jet(W), W, [0.0; 2], random).to_vec(),
        3 => decay(jet(Z), Z, [0.0; 2], random).to_vec(),
        _ => {
            let [w, bottom] = decay(jet(TOP), TOP, [W, 4.8], random);
            let [quark, other] = decay(w, W, [0.0; 2], random);
            vec![quark, other, bottom]
        }
    }
}

/// An isotropic decay to two particles of these masses.
fn decay(of: Momentum, mass: f64, masses: [f64; 2], random: &mut fastrand::Rng) -> [Momentum; 2] {
    let [sum, difference] = [masses[0] + masses[1], masses[0] - masses[1]];
    let squares = (mass * mass - sum * sum) * (mass * mass - difference * difference);
    let p = squares.sqrt() / (2.0 * mass);
    let (cosine, azimuth) = (2.0 * random.f64() - 1.0, std::f64::consts::TAU * random.f64());
    let sine = (1.0 - cosine * cosine).sqrt();
    let direction = [cosine, sine * azimuth.cos(), sine * azimuth.sin()];
    let daughter = |sign: f64, m: f64| {
        let [x, y, z] = direction.map(|d| sign * p * d);
        boosted([x, y, z, p.hypot(m)], of, mass)
    };
    [daughter(1.0, masses[0]), daughter(-1.0, masses[1])]
}

/// From the rest frame of a particle of this momentum and mass.
fn boosted(p: Momentum, of: Momentum, mass: f64) -> Momentum {
    let dot: f64 = (0..3).map(|k| p[k] * of[k]).sum();
    let along = dot / (mass * (of[3] + mass)) + p[3] / mass;
    let [x, y, z] = [0, 1, 2].map(|k| p[k] + along * of[k]);
    [x, y, z, (of[3] * p[3] + dot) / mass]
}

/// Splits a parton: the hardest piece again and again, with transverse kicks.
fn fragments(parton: Momentum, gluon: bool, random: &mut fastrand::Rng) -> Vec<Momentum> {
    let kind = usize::from(gluon);
    let mut pieces = vec![parton];
    for _ in 0..SPLITTINGS[kind] + random.usize(0..4) {
        let hardest = (0..pieces.len()).max_by(|a, b| pieces[*a][3].total_cmp(&pieces[*b][3]));
        let piece = pieces.swap_remove(hardest.expect("at least the parton"));
        let share = 0.5 * random.f64().sqrt() + 0.5 * random.f64() * random.f64();
        let kick = [KICK[kind] * normal(random), KICK[kind] * normal(random)];
        let part = |share: f64, sign: f64| {
            let [x, y] = [0, 1].map(|k| share * piece[k + 1] + sign * kick[k]);
            [share * piece[0], x, y, share * piece[3]]
        };
        pieces.extend([part(share, 1.0), part(1.0 - share, -1.0)]);
    }
    pieces.retain(|p| p[0] > 1.0);
    pieces
}
