//! ONNX's own operators.

use crate::import::onnx::activation::{hard_sigmoid, prelu, rounded, thresholded_relu, unary};
use crate::import::onnx::elementwise::{batch_normalization, binary, cast, clip, dropout, identity, variadic};
use crate::import::onnx::fold::{constant, equal, filled, reduce_constant, shape_of, size_of_tensor, where_constant};
use crate::import::onnx::integer::{conv_integer, mat_mul_integer, qlinear_conv, qlinear_mat_mul};
use crate::import::onnx::join::{concat, split};
use crate::import::onnx::linear::{conv, gemm, mat_mul};
use crate::import::onnx::movement::movement;
use crate::import::onnx::operators::{
    Kinds, Operand, Operator, any, float, harmless, index, operand, operator, read, refused,
};
use crate::import::onnx::pad::pad;
use crate::import::onnx::pool::{arg_max, global_pool, reduce, softmax, top_1, windowed};
use crate::import::onnx::quantisers::{dequantize_linear, quantize_linear};
use crate::import::onnx::resize::{resize, upsample};
use crate::import::onnx::transposed::conv_transpose;

use super::{SECOND_RESULT, TRAINING};

const ONLY_FLOAT8: &str = "acts on floats of 8 bits only, which are refused";

/// Attributes of element-wise operators of two operands before version 7.
macro_rules! legacy {
    () => {
        &[read("axis").until(6), read("broadcast").until(6)]
    };
}

/// A reduction whose axes became an operand in version `$since`.
macro_rules! reduction {
    ($name:literal, $since:literal, $kinds:expr) => {
        operator(
            $name,
            &[read("axes").until($since - 1), read("keepdims"), read("noop_with_empty_axes").since($since)],
            &[operand("data", $kinds), index("axes").since($since)],
            reduce,
        )
    };
}

/// An element-wise function of one float tensor.
macro_rules! function {
    ($name:literal $(, $attribute:expr)*) => {
        operator($name, &[$($attribute),*], &[float("X")], unary)
    };
}

/// Every operator.
pub(super) const OPERATORS: &[Operator] = &[
    operator("Abs", &[], &[operand("X", Kinds::NUMBER)], unary),
    operator("Add", legacy!(), &[operand("A", Kinds::NUMBER), operand("B", Kinds::NUMBER)], binary)
        .limits("computed tensors are floats"),
    operator(
        "ArgMax",
        &[read("axis"), read("keepdims"), read("select_last_index").since(12)],
        &[operand("data", Kinds::NUMBER)],
        arg_max,
    )
    .limits("the first of equal elements"),
    operator(
        "ArgMin",
        &[read("axis"), read("keepdims"), read("select_last_index").since(12)],
        &[operand("data", Kinds::NUMBER)],
        arg_max,
    )
    .limits("the first of equal elements"),
    operator(
        "AveragePool",
        window!(read("count_include_pad").since(7), read("ceil_mode").since(10), read("dilations").since(19)),
        &[float("X")],
        windowed,
    )
    .limits("windows that fit without rounding up; auto_pad without dilation"),
    operator(
        "BatchNormalization",
        &[read("epsilon"), harmless("momentum", TRAINING), read("spatial").until(8), read("training_mode").since(14)],
        &[float("X"), float("scale"), float("B"), float("mean"), float("var")],
        batch_normalization,
    )
    .since(7)
    .limits("inference; one parameter a channel (spatial = 1)"),
    operator(
        "Cast",
        &[read("to"), harmless("saturate", ONLY_FLOAT8).since(19), harmless("round_mode", ONLY_FLOAT8).since(24)],
        &[any("input")],
        cast,
    )
    .limits("computed tensors are cast to float; constants to types that hold them"),
    operator("Ceil", &[], &[float("X")], rounded).limits("operands below 2^23"),
    function!("Celu", read("alpha")).since(12),
    operator(
        "Clip",
        &[read("max").until(10), read("min").until(10)],
        &[
            operand("input", Kinds::NUMBER),
            operand("min", Kinds::NUMBER).since(11),
            operand("max", Kinds::NUMBER).since(11),
        ],
        clip,
    ),
    operator("Concat", &[read("axis")], &[any("inputs")], concat).variadic(),
    operator(
        "Constant",
        &[
            read("value"),
            read("value_float").since(12),
            read("value_floats").since(12),
            read("value_int").since(12),
            read("value_ints").since(12),
            refused("value_string", "constants are numbers").since(12),
            refused("value_strings", "constants are numbers").since(12),
            refused("sparse_value", "save it as a dense tensor").since(11),
        ],
        &[],
        constant,
    )
    .limits("numbers; no strings, no sparse tensors"),
    operator("ConstantOfShape", &[read("value")], &[index("input")], filled),
    operator("Conv", window!(read("dilations"), read("group")), &[float("X"), float("W"), float("B")], conv)
        .limits("constant filters and bias"),
    operator("ConvInteger", window!(read("dilations"), read("group")), INTEGER_OPERANDS, conv_integer)
        .since(10)
        .limits("constant filters"),
    operator(
        "ConvTranspose",
        window!(read("dilations"), read("group"), read("output_padding"), read("output_shape")),
        &[float("X"), float("W"), float("B")],
        conv_transpose,
    )
    .limits("constant filters and bias; pads as numbers, no auto_pad, no output_shape"),
    operator("DepthToSpace", &[read("blocksize"), read("mode").since(11)], &[any("input")], movement),
    operator(
        "DequantizeLinear",
        &[read("axis").since(13), read("block_size").since(21), read("output_dtype").since(23)],
        &[operand("x", Kinds::CODE_OR_INT32), float("x_scale"), operand("x_zero_point", Kinds::CODE_OR_INT32)],
        dequantize_linear,
    )
    .limits("results in float"),
    operator("Div", legacy!(), &[operand("A", Kinds::NUMBER), operand("B", Kinds::NUMBER)], binary)
        .limits("computed tensors are floats, divisors constants or functions of the same tensor"),
    operator(
        "Dropout",
        &[read("is_test").until(6), harmless("ratio", TRAINING).until(11), harmless("seed", TRAINING).since(12)],
        &[any("data"), float("ratio").since(12), operand("training_mode", Kinds::BOOL).since(12)],
        dropout,
    )
    .limits("inference, without the mask"),
    function!("Elu", read("alpha")),
    operator("Equal", &[], &[any("A"), any("B")], equal).since(7).limits("constants"),
    function!("Erf").since(9),
    function!("Exp"),
    operator("Expand", &[], &[any("input"), index("shape")], movement),
    operator("Flatten", &[read("axis")], &[any("input")], movement),
    operator("Floor", &[], &[float("X")], rounded).limits("operands below 2^23"),
    operator("Gather", &[read("axis")], &[any("data"), index("indices")], movement).limits("constant indices"),
    function!("Gelu", read("approximate")).since(20),
    operator(
        "Gemm",
        &[read("alpha"), read("beta"), read("transA"), read("transB"), read("broadcast").until(6)],
        &[float("A"), float("B"), float("C")],
        gemm,
    )
    .limits("constant B; C constant or beta = 1"),
    operator("GlobalAveragePool", &[], &[float("X")], global_pool),
    operator("GlobalMaxPool", &[], &[float("X")], global_pool),
    operator("HardSigmoid", &[read("alpha"), read("beta")], &[float("X")], hard_sigmoid),
    function!("HardSwish").since(14),
    operator("Identity", &[], &[any("input")], identity),
    function!("LeakyRelu", read("alpha")),
    function!("Log"),
    operator("MatMul", &[], &[float("A"), float("B")], mat_mul),
    operator("MatMulInteger", &[], INTEGER_OPERANDS, mat_mul_integer).since(10).limits("constant B"),
    operator("Max", &[], &[operand("data_0", Kinds::NUMBER)], variadic).variadic(),
    operator(
        "MaxPool",
        window!(
            harmless("storage_order", SECOND_RESULT).since(8),
            read("ceil_mode").since(10),
            read("dilations").since(10)
        ),
        &[operand("X", Kinds::NUMBER)],
        windowed,
    )
    .limits("windows that fit without rounding up; auto_pad without dilation; without the indices"),
    operator("Mean", &[], &[float("data_0")], variadic).variadic(),
    operator("Min", &[], &[operand("data_0", Kinds::NUMBER)], variadic).variadic(),
    function!("Mish").since(18),
    operator("Mul", legacy!(), &[operand("A", Kinds::NUMBER), operand("B", Kinds::NUMBER)], binary)
        .limits("computed tensors are floats"),
    operator("Neg", &[], &[operand("X", Kinds::NUMBER)], unary),
    operator("PRelu", &[], &[float("X"), float("slope")], prelu).limits("constant slopes"),
    operator(
        "Pad",
        &[read("mode"), read("pads").until(10), read("value").until(10)],
        &[
            operand("data", Kinds::NUMBER),
            index("pads").since(11),
            operand("constant_value", Kinds::NUMBER).since(11),
            index("axes").since(18),
        ],
        pad,
    )
    .limits("constants on the operand's grid; negative pads with mode constant"),
    operator("Pow", legacy!(), &[operand("X", Kinds::NUMBER), operand("Y", Kinds::NUMBER)], binary)
        .limits("constants; exponents 0.5, 1, 2 and 3 of computed tensors"),
    operator(
        "QLinearConv",
        window!(read("dilations"), read("group")),
        &[
            operand("x", Kinds::BYTE),
            float("x_scale"),
            operand("x_zero_point", Kinds::BYTE),
            operand("w", Kinds::BYTE),
            float("w_scale"),
            operand("w_zero_point", Kinds::BYTE),
            float("y_scale"),
            operand("y_zero_point", Kinds::BYTE),
            operand("B", Kinds::INT32),
        ],
        qlinear_conv,
    )
    .since(10)
    .limits("constant filters and bias"),
    operator(
        "QLinearMatMul",
        &[],
        &[
            operand("a", Kinds::BYTE),
            float("a_scale"),
            operand("a_zero_point", Kinds::BYTE),
            operand("b", Kinds::BYTE),
            float("b_scale"),
            operand("b_zero_point", Kinds::BYTE),
            float("y_scale"),
            operand("y_zero_point", Kinds::BYTE),
        ],
        qlinear_mat_mul,
    )
    .since(10)
    .limits("constant b"),
    operator(
        "QuantizeLinear",
        &[
            read("axis").since(13),
            harmless("saturate", ONLY_FLOAT8).since(19),
            read("block_size").since(21),
            read("output_dtype").since(21),
            read("precision").since(23),
        ],
        &[float("x"), float("y_scale"), operand("y_zero_point", Kinds::CODE)],
        quantize_linear,
    )
    .limits("integers of 4, 8 and 16 bits, divided in float"),
    function!("Reciprocal").limits("of constants, reciprocals that are exact"),
    reduction!("ReduceMax", 18, Kinds::NUMBER),
    reduction!("ReduceMean", 18, Kinds::FLOAT),
    reduction!("ReduceMin", 18, Kinds::NUMBER),
    operator(
        "ReduceProd",
        &[read("axes").until(17), read("keepdims"), read("noop_with_empty_axes").since(18)],
        &[operand("data", Kinds::INTEGER), index("axes").since(18)],
        reduce_constant,
    )
    .limits("constants"),
    reduction!("ReduceSum", 13, Kinds::NUMBER),
    operator("Relu", &[], &[operand("X", Kinds::NUMBER)], unary),
    operator("Reshape", &[read("allowzero").since(14)], &[any("data"), index("shape")], movement)
        .limits("constant shapes"),
    operator(
        "Resize",
        &[
            read("mode"),
            read("coordinate_transformation_mode").since(11),
            read("nearest_mode").since(11),
            harmless("cubic_coeff_a", "acts on cubic interpolation only, which is refused").since(11),
            harmless("extrapolation_value", "acts on tf_crop_and_resize only, which is refused").since(11),
            read("exclude_outside").since(11),
            read("antialias").since(18),
            read("axes").since(18),
            read("keep_aspect_ratio_policy").since(18),
        ],
        &[any("X"), float("roi or, in version 10, scales"), float("scales").since(11), index("sizes").since(11)],
        resize,
    )
    .since(10)
    .limits("nearest, and linear where all weights are powers of two; constant scales or sizes"),
    function!("Selu", read("alpha"), read("gamma")),
    operator("Shape", &[read("start").since(15), read("end").since(15)], &[any("data")], shape_of),
    operator("Round", &[], &[float("X")], rounded).since(11).limits("operands below 2^23"),
    function!("Shrink", read("bias"), read("lambd")).since(9),
    function!("Sigmoid"),
    operator("Sign", &[], &[float("input")], rounded).since(9),
    operator("Size", &[], &[any("data")], size_of_tensor),
    operator(
        "Slice",
        &[read("starts").until(9), read("ends").until(9), read("axes").until(9)],
        &[
            any("data"),
            index("starts").since(10),
            index("ends").since(10),
            index("axes").since(10),
            index("steps").since(10),
        ],
        movement,
    )
    .limits("constant limits"),
    operator("Softmax", &[read("axis")], &[float("input")], softmax)
        .limits("at the end of the network or in front of an ArgMax; before version 13 along the last axis"),
    function!("Softplus"),
    function!("Softsign"),
    operator("SpaceToDepth", &[read("blocksize")], &[any("input")], movement),
    operator(
        "Split",
        &[read("axis"), read("split").until(12), read("num_outputs").since(18)],
        &[any("input"), index("split").since(13)],
        split,
    )
    .results(None),
    function!("Sqrt"),
    operator("Squeeze", &[read("axes").until(12)], &[any("data"), index("axes").since(13)], movement),
    operator("Sub", legacy!(), &[operand("A", Kinds::NUMBER), operand("B", Kinds::NUMBER)], binary)
        .limits("computed tensors are floats"),
    operator("Sum", &[], &[float("data_0")], variadic).variadic(),
    function!("Swish", read("alpha")).since(24),
    function!("Tanh"),
    operator("ThresholdedRelu", &[read("alpha")], &[float("X")], thresholded_relu).since(10),
    operator("Tile", &[], &[any("input"), index("repeats")], movement),
    operator(
        "TopK",
        &[
            read("axis"),
            read("k").until(9),
            read("largest").since(11),
            harmless("sorted", "one element is in order").since(11),
        ],
        &[operand("X", Kinds::NUMBER), index("K").since(10)],
        top_1,
    )
    .results(Some(2))
    .limits("the greatest element, k = 1"),
    operator("Transpose", &[read("perm")], &[any("data")], movement),
    operator("Unsqueeze", &[read("axes").until(12)], &[any("data"), index("axes").since(13)], movement),
    operator("Upsample", &[read("mode"), read("scales").until(8)], &[any("X"), float("scales").since(9)], upsample)
        .since(7)
        .limits("nearest, and linear where all weights are powers of two; constant scales"),
    operator("Where", &[], &[operand("condition", Kinds::BOOL), any("X"), any("Y")], where_constant)
        .limits("constants"),
];

/// Of products of integers.
const INTEGER_OPERANDS: &[Operand] = &[
    operand("A", Kinds::BYTE),
    operand("B", Kinds::BYTE),
    operand("a_zero_point", Kinds::BYTE),
    operand("b_zero_point", Kinds::BYTE),
];
