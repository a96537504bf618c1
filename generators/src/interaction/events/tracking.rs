//! Charged particles in a barrel of silicon layers around the beam: helical tracks, hits, candidate segments.
//!
//! A sector of the detector in azimuth, one region of interest of a trigger. A particle of transverse momentum `p_T` and
//! charge `q` from `(0, 0, z0)` runs on a helix of radius `R = p_T / (0.3 B)` (GeV, T, m), and meets the layer of radius
//! `r` at `φ = φ0 − q·asin(r / 2R)`, `z = z0 + 2R·asin(r / 2R)·cot θ`. Hits are smeared by the resolution, some are
//! missing, others are noise. Segments join hits of neighbouring layers that a track from the luminous region above the
//! least momentum could have made.

use hdl::diag::Diagnostic;

use super::{Tracks, normal, rounded};
use crate::model::block::windows::Windows;

/// Radii of layers in mm; those of a pixel barrel and the first strip layers behind it.
const RADII: [f64; 8] = [32.0, 72.0, 116.0, 172.0, 260.0, 360.0, 500.0, 660.0];
/// Field in T.
const FIELD: f64 = 2.0;
/// Least transverse momentum in GeV; the spectrum falls as `p_T^-2`, up to ten times as much.
const LEAST_MOMENTUM: f64 = 1.0;
/// Width of the sector in azimuth, of which tracks start in the middle half.
const SECTOR: f64 = 0.24;
/// Standard deviation of `z0` in mm, and the greatest `|cot θ|`.
const LUMINOUS: f64 = 40.0;
const STEEPEST: f64 = 0.6;
/// Resolutions across and along the beam in mm, multiple scattering included.
const RESOLUTION: [f64; 2] = [0.15, 0.6];
/// Share of crossings that leave a hit.
const EFFICIENCY: f64 = 0.97;
/// Mean noise hits of a layer.
const NOISE: f64 = 0.35;

/// Scales that bring features to some units: mm of `r` and `z`, rad of `φ`; of differences likewise.
const NODE_SCALE: [f64; 3] = [100.0, 0.02, 100.0];
const EDGE_SCALE: [f64; 4] = [50.0, 0.01, 25.0, 0.1];

/// A detector and the slots that its events are laid into: each layer has equally many hits, and each pair of
/// neighbouring layers its share of the segments, as [`Windows::between_layers`] has it.
#[derive(Debug, Clone)]
pub struct Barrel {
    windows: Windows,
    layers: usize,
}

/// A hit: azimuth, `z` in mm, and the particle that made it.
#[derive(Debug, Clone, Copy)]
struct Hit {
    phi: f64,
    z: f64,
    particle: Option<usize>,
}

impl Barrel {
    /// A barrel for events of so many hits and segments.
    ///
    /// # Errors
    /// Fewer than two or too many layers, or hits that cannot be shared out over them.
    pub fn new(nodes: usize, edges: usize, layers: usize) -> Result<Self, Diagnostic> {
        if !(2..=RADII.len()).contains(&layers) {
            let message = format!("a barrel of {layers} layers; expected 2 to {}", RADII.len());
            return Err(Diagnostic::error("events", message).help("choose another with --layers"));
        }
        let windows = Windows::between_layers(nodes, edges, layers)?;
        Ok(Self { windows, layers })
    }

    /// A random event: up to as many particles as a layer has room for, then noise in what room is left.
    pub fn event(&self, random: &mut fastrand::Rng) -> Tracks {
        let size = self.windows.size;
        let mut layers = vec![Vec::new(); self.layers];
        for particle in 0..random.usize(size.div_ceil(2)..=size) {
            cross(&mut layers, particle, random);
        }
        for hits in &mut layers {
            while hits.len() < size && random.f64() < NOISE {
                hits.push(Hit {
                    phi: SECTOR * (random.f64() - 0.5),
                    z: 2.0 * LUMINOUS * normal(random),
                    particle: None,
                });
            }
            random.shuffle(hits);
        }
        self.segments(&layers)
    }

    fn segments(&self, layers: &[Vec<Hit>]) -> Tracks {
        let (size, edges) = (self.windows.size, self.windows.senders.len());
        let mut event = Tracks {
            nodes: vec![vec![0.0; NODE_SCALE.len()]; size * self.layers],
            edges: vec![vec![0.0; EDGE_SCALE.len()]; edges],
            sender: self.windows.senders.clone(),
            receiver: self.windows.receivers.clone(),
            valid: vec![0; edges],
            truth: vec![0; edges],
        };
        for (layer, hits) in layers.iter().enumerate() {
            for (i, hit) in hits.iter().enumerate() {
                let features = [RADII[layer], hit.phi, hit.z];
                event.nodes[layer * size + i] = scaled(features, NODE_SCALE);
            }
        }
        for inner in 0..self.layers - 1 {
            let slots = (0..edges).filter(|k| self.windows.senders[*k] == inner * size);
            let found = candidates(inner, &layers[inner], &layers[inner + 1]);
            for (k, (sender, receiver, features)) in slots.zip(found) {
                let [from, to] = [layers[inner][sender], layers[inner + 1][receiver]];
                event.sender[k] += sender;
                event.receiver[k] += receiver;
                event.edges[k] = scaled(features, EDGE_SCALE);
                event.valid[k] = 1;
                let one = from.particle.is_some() && from.particle == to.particle;
                event.truth[k] = u8::from(one);
            }
        }
        event
    }
}

/// Adds the hits of a particle.
fn cross(layers: &mut [Vec<Hit>], particle: usize, random: &mut fastrand::Rng) {
    let momentum = LEAST_MOMENTUM / (1.0 - 0.9 * random.f64());
    let curvature = [-1.0, 1.0][usize::from(random.bool())] / (2.0 * radius(momentum));
    let phi0 = SECTOR * (random.f64() - 0.5) / 2.0;
    let (z0, steepness) = (LUMINOUS * normal(random), STEEPEST * (2.0 * random.f64() - 1.0));
    for (hits, r) in layers.iter_mut().zip(RADII) {
        let turn = (r * curvature).asin();
        let (across, along) = (RESOLUTION[0] * normal(random), RESOLUTION[1] * normal(random));
        let hit = Hit {
            phi: phi0 - turn + across / r,
            z: z0 + turn / curvature * steepness + along,
            particle: Some(particle),
        };
        if random.f64() < EFFICIENCY {
            hits.push(hit);
        }
    }
}

/// Radius of the helix in mm.
fn radius(momentum: f64) -> f64 {
    1000.0 * momentum / (0.3 * FIELD)
}

/// Sender, receiver and features of the segments between two layers, the straightest first: whatever bends no more than
/// a track of the least momentum and comes from the luminous region, with a margin for the resolution.
fn candidates(inner: usize, from: &[Hit], to: &[Hit]) -> Vec<(usize, usize, [f64; 4])> {
    let (r, r2) = (RADII[inner], RADII[inner + 1]);
    let most = |r: f64| (r / (2.0 * radius(LEAST_MOMENTUM))).asin();
    let margin = 4.0 * RESOLUTION[0] / r;
    let mut found = Vec::new();
    for (s, a) in from.iter().enumerate() {
        for (t, b) in to.iter().enumerate() {
            let (bend, rise) = (b.phi - a.phi, b.z - a.z);
            let origin = a.z - rise * r / (r2 - r);
            if bend.abs() < most(r2) - most(r) + margin && origin.abs() < 4.0 * LUMINOUS {
                let slope = |r: f64, z: f64| (z / r).asinh();
                let distance = bend.hypot(slope(r2, b.z) - slope(r, a.z));
                found.push((s, t, [r2 - r, bend, rise, distance]));
            }
        }
    }
    found.sort_by(|(.., a), (.., b)| a[1].abs().total_cmp(&b[1].abs()));
    found
}

fn scaled<const N: usize>(features: [f64; N], scale: [f64; N]) -> Vec<f64> {
    let scaled = features.into_iter().zip(scale).map(|(f, s)| rounded(f / s));
    scaled.collect()
}
