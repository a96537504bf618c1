//! A net and how it goes on above its top bit.

use crate::rtl::{Builder, Net};

/// An integer on a net; no net stands for zero.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bits {
    pub net: Option<Net>,
    pub signed: bool,
}

impl Bits {
    pub fn width(self, b: &Builder) -> u32 {
        self.net.map_or(0, |net| b.module.width(net))
    }

    /// The low `width` bits of the pattern, as a net of that width, which is not 0.
    pub fn low(self, b: &mut Builder, width: u32) -> Net {
        match self.net {
            None => b.integer(0, width),
            Some(net) if width <= b.module.width(net) => b.slice(net, 0, width),
            Some(net) if self.signed => b.sign_extend(net, width),
            Some(net) => b.zero_extend(net, width),
        }
    }

    /// `floor(self / 2^shift)`.
    pub fn shr(self, b: &mut Builder, shift: u32) -> Self {
        let width = self.width(b);
        let net = match self.net {
            Some(net) if shift < width => Some(b.slice(net, shift, width - shift)),
            Some(net) if self.signed => Some(b.slice(net, width - 1, 1)),
            _ => None,
        };
        Self { net, ..self }
    }

    /// 1 if negative.
    pub fn sign(self, b: &mut Builder) -> Net {
        match self.net {
            Some(net) if self.signed => {
                let top = b.module.width(net) - 1;
                b.slice(net, top, 1)
            }
            _ => b.integer(0, 1),
        }
    }

    /// 1 if not zero.
    pub fn any(self, b: &mut Builder) -> Net {
        match self.net {
            Some(net) => b.any(net),
            None => b.integer(0, 1),
        }
    }
}
