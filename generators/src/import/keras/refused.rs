//! Layers of QKeras and HGQ that are known and not supported, each with the reason.

use std::fmt::Write;

/// A reason, and the layers for which it holds.
struct Refused {
    layers: &'static [&'static str],
    why: &'static str,
    instead: &'static str,
}

/// The layers that are refused.
const REFUSED: &[Refused] = &[
    Refused {
        layers: &["QSimpleRNN", "QLSTM", "QGRU", "QBidirectional", "QSimpleRNNCell", "QLSTMCell", "QGRUCell"],
        why: "recurrent layers of QKeras and HGQ2 are not supported: their state is float between its steps",
        instead: "cut the network in front of it with --to, or use a layer without a state",
    },
    Refused {
        layers: &["QSimpleSNN", "QSimpleSNNCell", "QLIF", "QLIFCell"],
        why: "spiking layers are not supported",
        instead: "cut the network in front of it with --to",
    },
    Refused {
        layers: &["QAdaptiveActivation"],
        why: "it changes its integer bits each time that it is used, and does not keep them with its weights",
        instead: "put a QActivation with the bits that it has found in its place",
    },
    Refused {
        layers: &["QEinsumDenseT", "QMultiHeadAttentionT", "QLinformerAttentionT"],
        why: "HGQ2 0.2 itself cannot compute it, as its first kernel has more rows than its operand has numbers",
        instead: "use QDenseT, or attention without T",
    },
    Refused {
        layers: &["QSALTAttention"],
        why: "a convolution over scores of attention is not supported",
        instead: "use QLinformerAttention",
    },
    Refused { layers: &["QConv3D"], why: "convolutions over three axes are not supported", instead: "use QConv2D" },
    Refused {
        layers: &["QMaxPooling3D", "QAveragePooling3D", "QGlobalMaxPooling3D", "QGlobalAveragePooling3D"],
        why: "windows over three axes are not supported",
        instead: "use two axes",
    },
    Refused {
        layers: &[
            "HQuantize",
            "HActivation",
            "HAdd",
            "HDense",
            "HDenseBatchNorm",
            "HConv1D",
            "HConv2D",
            "HConv1DBatchNorm",
            "HConv2DBatchNorm",
            "HBatchNormalization",
            "HMultiHeadAttention",
            "Signature",
            "PReshape",
            "PFlatten",
            "PConcatenate",
            "PPermute",
            "PDropout",
            "PMaxPooling1D",
            "PMaxPooling2D",
            "PAveragePooling1D",
            "PAveragePooling2D",
            "FixedPointQuantizer",
            "UnaryLUT",
        ],
        why: "layers of HGQ 1 are not supported: as Keras computes them, they have no range, and their hardware has one",
        instead: "train it again with HGQ2",
    },
    Refused {
        layers: &["QDepthwiseConv2DBatchnorm"],
        why: "a depthwise convolution with a folded normalisation is not supported",
        instead: "use QKeras' unfold_model, or QDepthwiseConv2D with its weights folded",
    },
];

/// Why a layer of that class is refused, and what to use instead; none if it is not known.
pub(super) fn reason(class: &str) -> Option<(&'static str, &'static str)> {
    let class = class.strip_prefix("HGQ>").unwrap_or(class);
    REFUSED.iter().find(|r| r.layers.contains(&class)).map(|r| (r.why, r.instead))
}

/// The layers that are refused as a table of Markdown.
pub fn refused_table() -> String {
    let mut text = String::from("| layer | why it is refused | instead |\n|---|---|---|\n");
    for refused in REFUSED {
        let names: Vec<String> = refused.layers.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(text, "| {} | {} | {} |", names.join(", "), refused.why, refused.instead);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::keras::class;

    #[test]
    fn no_layer_is_both_supported_and_refused() {
        for name in REFUSED.iter().flat_map(|r| r.layers) {
            assert!(class::of(name).is_none(), "{name}");
        }
        assert!(reason("QLSTM").is_some() && reason("HGQ>HDense").is_some() && reason("QDense").is_none());
    }
}
