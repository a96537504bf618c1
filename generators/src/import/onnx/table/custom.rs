//! Operators of other domains: QONNX', in both layouts, and onnxruntime's.

use crate::import::onnx::elementwise::batch_normalization;
use crate::import::onnx::float_quant::float_quant;
use crate::import::onnx::integer::qgemm;
use crate::import::onnx::linear::conv;
use crate::import::onnx::operators::{Domain, Kinds, Operand, Operator, float, harmless, operand, operator, read};
use crate::import::onnx::pool::windowed;
use crate::import::onnx::qlinear::{
    qlinear_add, qlinear_average_pool, qlinear_concat, qlinear_function, qlinear_global_average_pool, qlinear_mul,
};
use crate::import::onnx::quantisers::{
    bipolar_quant, dequantize_linear, multi_threshold, quant, quantize_linear, trunc,
};

use super::{SECOND_RESULT, TRAINING};

const SATURATES: &str = "says what overflow gives; only saturation is read";

/// Every operator.
pub(super) const OPERATORS: &[Operator] = &[
    operator("BipolarQuant", &[], &[float("X"), float("scale")], bipolar_quant).of(Domain::Qonnx),
    operator(
        "FloatQuant",
        &[
            read("rounding_mode"),
            harmless("has_inf", SATURATES),
            harmless("has_nan", SATURATES),
            harmless("has_subnormal", "the framework does not read it: there are subnormal numbers"),
            read("saturation"),
        ],
        &[
            float("X"),
            float("scale"),
            operand("exponent_bit_width", Kinds::FLOAT),
            operand("mantissa_bit_width", Kinds::FLOAT),
            operand("exponent_bias", Kinds::FLOAT),
            operand("max_val", Kinds::FLOAT),
        ],
        float_quant,
    )
    .of(Domain::Qonnx)
    .limits("less than 2^24 least steps; roundings that are even in the sign"),
    INT_QUANT,
    Operator { name: "Quant", ..INT_QUANT },
    operator(
        "MultiThreshold",
        &[
            harmless("out_dtype", "names a type for back ends; the numbers are out_scale · count + out_bias"),
            read("out_scale"),
            read("out_bias"),
            read("data_layout"),
        ],
        &[float("X"), float("thresholds")],
        multi_threshold,
    )
    .of(Domain::Qonnx),
    operator(
        "Trunc",
        &[read("rounding_mode"), read("signed").since(2), read("narrow").since(2)],
        &[
            float("X"),
            float("scale"),
            operand("zero_point", Kinds::NUMBER),
            operand("in_bit_width", Kinds::NUMBER),
            operand("out_bit_width or, in version 2, out_scale", Kinds::NUMBER),
            operand("out_bit_width", Kinds::NUMBER).since(2),
        ],
        trunc,
    )
    .of(Domain::Qonnx)
    .limits("in version 1 no zero point"),
    operator(
        "BatchNormalization",
        &[read("epsilon"), harmless("momentum", TRAINING), read("spatial").until(8), read("training_mode").since(14)],
        &[float("X"), float("scale"), float("B"), float("mean"), float("var")],
        batch_normalization,
    )
    .of(Domain::ChannelsLast)
    .since(7),
    operator("Conv", window!(read("dilations"), read("group")), &[float("X"), float("W"), float("B")], conv)
        .of(Domain::ChannelsLast)
        .limits("constant filters, channels last as well"),
    operator(
        "MaxPool",
        window!(
            harmless("storage_order", SECOND_RESULT).since(8),
            read("ceil_mode").since(10),
            read("dilations").since(10)
        ),
        &[float("X")],
        windowed,
    )
    .of(Domain::ChannelsLast),
    operator(
        "DequantizeLinear",
        &[read("axis")],
        &[operand("x", Kinds::CODE_OR_INT32), float("x_scale"), operand("x_zero_point", Kinds::CODE_OR_INT32)],
        dequantize_linear,
    )
    .of(Domain::Microsoft),
    operator(
        "QGemm",
        &[read("alpha"), read("transA"), read("transB")],
        &[
            operand("A", Kinds::BYTE),
            float("a_scale"),
            operand("a_zero_point", Kinds::BYTE),
            operand("B", Kinds::BYTE),
            float("b_scale"),
            operand("b_zero_point", Kinds::BYTE),
            operand("C", Kinds::INT32),
            float("y_scale"),
            operand("y_zero_point", Kinds::BYTE),
        ],
        qgemm,
    )
    .of(Domain::Microsoft)
    .limits("constant B and C"),
    operator("QLinearAdd", &[], QLINEAR_PAIR, qlinear_add)
        .of(Domain::Microsoft)
        .limits("pairs of codes that processors round alike, unless --accept-rounding"),
    operator(
        "QLinearAveragePool",
        window!(read("ceil_mode"), read("channels_last"), read("count_include_pad")),
        QLINEAR_FUNCTION,
        qlinear_average_pool,
    )
    .of(Domain::Microsoft)
    .limits("windows that fit without rounding up"),
    operator(
        "QLinearConcat",
        &[read("axis")],
        &[
            float("Y_scale"),
            operand("Y_zero_point", Kinds::BYTE),
            operand("codes, scale and zero point of each operand", Kinds::BYTE_OR_FLOAT),
        ],
        qlinear_concat,
    )
    .variadic()
    .of(Domain::Microsoft),
    operator("QLinearGlobalAveragePool", &[read("channels_last")], QLINEAR_FUNCTION, qlinear_global_average_pool)
        .of(Domain::Microsoft),
    operator("QLinearLeakyRelu", &[read("alpha")], QLINEAR_FUNCTION, qlinear_function).of(Domain::Microsoft),
    operator("QLinearMul", &[], QLINEAR_PAIR, qlinear_mul).of(Domain::Microsoft),
    operator("QLinearSigmoid", &[], QLINEAR_FUNCTION, qlinear_function).of(Domain::Microsoft),
    operator(
        "QuantizeLinear",
        &[read("axis")],
        &[float("x"), float("y_scale"), operand("y_zero_point", Kinds::CODE)],
        quantize_linear,
    )
    .of(Domain::Microsoft),
];

/// Codes, scale and zero point of a function's operand; scale and zero point of its result.
const QLINEAR_FUNCTION: &[Operand] = &[
    operand("X", Kinds::BYTE),
    float("X_scale"),
    operand("X_zero_point", Kinds::BYTE),
    float("Y_scale"),
    operand("Y_zero_point", Kinds::BYTE),
];

/// The same of two operands.
const QLINEAR_PAIR: &[Operand] = &[
    operand("A", Kinds::BYTE),
    float("A_scale"),
    operand("A_zero_point", Kinds::BYTE),
    operand("B", Kinds::BYTE),
    float("B_scale"),
    operand("B_zero_point", Kinds::BYTE),
    float("C_scale"),
    operand("C_zero_point", Kinds::BYTE),
];

/// `Quant` is the older name.
const INT_QUANT: Operator = operator(
    "IntQuant",
    &[read("signed"), read("narrow"), read("rounding_mode")],
    &[float("X"), float("scale"), operand("zero_point", Kinds::NUMBER), operand("bit_width", Kinds::NUMBER)],
    quant,
)
.of(Domain::Qonnx)
.limits("whole bit widths from 1 to 32");
