//! The weight registers' image, in the chip's layout.
//!
//! Weights stand in the order conv weights (row, column, filter with the filter fastest), conv biases, dense weights
//! `[out][in]`, dense biases, each as a two's-complement field of the weight width, least significant bit first. The
//! stream of bits is cut into 12 blocks of equally many bytes: 134 at the chip's 6 bits.

use hdl::diag::Diagnostic;

use super::geometry::{FILTERS, HIDDEN, KERNEL, OUTPUTS};
use super::weights::Tensors;

/// Blocks of the weight store.
pub const BLOCKS: usize = 12;
/// Weights and biases of the network.
pub const WEIGHTS: usize = KERNEL * KERNEL * FILTERS + FILTERS + HIDDEN * OUTPUTS + OUTPUTS;

/// Bytes of one block for weights of `weight_bits` bits.
pub fn block_bytes(weight_bits: u32) -> usize {
    (WEIGHTS * weight_bits as usize).div_ceil(8 * BLOCKS)
}

/// The image of register values. They must fit `weight_bits` bits.
///
/// # Errors
/// A value that does not.
pub fn pack(values: &[i64], weight_bits: u32) -> Result<Vec<u8>, Diagnostic> {
    let mut image = vec![0u8; BLOCKS * block_bytes(weight_bits)];
    let (lo, hi) = (-(1i64 << (weight_bits - 1)), (1i64 << (weight_bits - 1)) - 1);
    for (i, &value) in values.iter().enumerate() {
        if !(lo..=hi).contains(&value) {
            let message = format!("weight {i} is {value}, {weight_bits} bits hold {lo}…{hi}");
            return Err(
                Diagnostic::error("weights", message).help("choose --weight-bits as the weights were quantised")
            );
        }
        for bit in 0..weight_bits as usize {
            let at = i * weight_bits as usize + bit;
            image[at / 8] |= ((value >> bit & 1) as u8) << (at % 8);
        }
    }
    Ok(image)
}

/// The register values of an image.
pub fn unpack(image: &[u8], weight_bits: u32) -> Result<Tensors, Diagnostic> {
    let expected = BLOCKS * block_bytes(weight_bits);
    if image.len() != expected {
        let message = format!("an image of {weight_bits}-bit weights has {expected} bytes, this one {}", image.len());
        return Err(Diagnostic::error("weights", message));
    }
    let field = |i: usize| {
        let bits = (0..weight_bits as usize).map(|bit| i * weight_bits as usize + bit);
        let pattern = bits.rev().fold(0i64, |v, at| v << 1 | i64::from(image[at / 8] >> (at % 8) & 1));
        let sign = 1i64 << (weight_bits - 1);
        ((pattern ^ sign) - sign) as f64
    };
    let mut fields = (0..WEIGHTS).map(field);
    let mut take = |count: usize| fields.by_ref().take(count).collect::<Vec<_>>();
    Ok(Tensors {
        conv_weight: take(KERNEL * KERNEL * FILTERS),
        conv_bias: take(FILTERS),
        dense_weight: take(HIDDEN * OUTPUTS),
        dense_bias: take(OUTPUTS),
        registers: true,
    })
}

/// All weights in the order of the registers.
pub fn stream(tensors: &Tensors) -> Vec<i64> {
    let Tensors { conv_weight, conv_bias, dense_weight, dense_bias, .. } = tensors;
    [conv_weight, conv_bias, dense_weight, dense_bias].into_iter().flatten().map(|v| *v as i64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::arithmetic::Contract;
    use crate::encoder::model::Input;
    use crate::encoder::weights::{Choice, registers_of};

    #[test]
    fn an_image_comes_back_and_has_the_chip_size() {
        for weight_bits in [2, 5, 6, 8] {
            let choice = Choice {
                file: None,
                contract: Contract::Silicon,
                input: Input::Calq,
                bits: None,
                weight_bits: Some(weight_bits),
                output_bits: None,
            };
            let tensors = registers_of(&choice.model().unwrap());
            let image = pack(&stream(&tensors), weight_bits).unwrap();
            assert_eq!(unpack(&image, weight_bits).unwrap(), tensors);
        }
        assert_eq!(8 * BLOCKS * block_bytes(6), 12_864);
    }

    #[test]
    fn a_weight_that_does_not_fit_is_refused() {
        let mut tensors = unpack(&vec![0; BLOCKS * block_bytes(6)], 6).unwrap();
        tensors.dense_bias[15] = 32.0;
        assert!(pack(&stream(&tensors), 6).is_err());
        assert!(unpack(&[0; 7], 6).is_err());
    }
}
