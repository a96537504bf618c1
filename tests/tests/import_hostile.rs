//! Damaged and malicious files: an error each, no panic, no runaway memory.

use hwgen::import::lift::InputFormat;
use hwgen::import::onnx::proto::{
    AnyProto, AttributeProto, DimensionProto, FunctionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use hwgen::import::{keras, onnx};
use hwgen::model::Graph;
use hwgen_tests::shared;
use prost::Message;

fn info(name: &str, dims: &[i64]) -> ValueInfoProto {
    let dim = dims.iter().map(|d| DimensionProto { dim_value: Some(*d) }).collect();
    ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto {
            tensor_type: Some(TensorTypeProto { elem_type: 1, shape: Some(TensorShapeProto { dim }) }),
        }),
    }
}

fn node(op: &str, input: &[&str], attribute: Vec<AttributeProto>) -> NodeProto {
    NodeProto {
        op_type: op.into(),
        input: input.iter().map(|s| (*s).into()).collect(),
        output: vec!["y".into()],
        attribute,
        ..NodeProto::default()
    }
}

fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        ints: values.to_vec(),
        i: values.first().copied().unwrap_or(0),
        ..AttributeProto::default()
    }
}

fn integers(name: &str, values: &[i64]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: vec![values.len() as i64],
        data_type: 7,
        int64_data: values.to_vec(),
        ..TensorProto::default()
    }
}

fn floats(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: dims.to_vec(),
        data_type: 1,
        float_data: values.to_vec(),
        ..TensorProto::default()
    }
}

fn read(dims: &[i64], initializer: Vec<TensorProto>, node: Vec<NodeProto>) -> Result<(), String> {
    let graph = GraphProto {
        node,
        initializer,
        input: vec![info("x", dims)],
        output: vec![info("y", &[])],
        ..GraphProto::default()
    };
    read_model(ModelProto { graph: Some(graph), opset_import: vec![set("", 13)], functions: vec![] })
}

fn set(domain: &str, version: i64) -> OperatorSetIdProto {
    OperatorSetIdProto { domain: domain.into(), version }
}

fn read_model(model: ModelProto) -> Result<(), String> {
    let format = InputFormat::parse("s8.4").unwrap();
    onnx::read(&model.encode_to_vec(), &[format]).map(drop).map_err(|e| e.to_string())
}

/// A ReLU on two numbers, which is read, for damage.
fn sound() -> ModelProto {
    let graph = GraphProto {
        node: vec![node("Relu", &["x"], vec![])],
        input: vec![info("x", &[1, 2])],
        output: vec![info("y", &[1, 2])],
        ..GraphProto::default()
    };
    ModelProto { graph: Some(graph), opset_import: vec![set("", 13)], functions: vec![] }
}

/// What a file holds and nobody reads is an error that names it.
#[test]
fn nothing_is_skipped() {
    assert_eq!(read_model(sound()), Ok(()));
    let refused = |what: &str, change: &dyn Fn(&mut ModelProto, &mut GraphProto)| {
        let mut model = sound();
        let mut graph = model.graph.take().expect("it has one");
        change(&mut model, &mut graph);
        let error = read_model(ModelProto { graph: Some(graph), ..model }).expect_err(what);
        assert!(error.contains(what), "{what}: {error}");
    };
    let text = |name: &str, value: &str| AttributeProto {
        name: name.into(),
        s: value.as_bytes().to_vec(),
        r#type: 3,
        ..AttributeProto::default()
    };
    let int = |name: &str, i: i64| AttributeProto { name: name.into(), i, r#type: 2, ..AttributeProto::default() };
    refused("opset_import", &|model, _| model.opset_import.clear());
    refused("version 5", &|model, _| model.opset_import = vec![set("", 5)]);
    refused("version 99", &|model, _| model.opset_import = vec![set("", 99)]);
    refused("two versions", &|model, _| model.opset_import.push(set("ai.onnx", 12)));
    refused("domain", &|_, graph| graph.node[0].domain = "acme".into());
    refused("functions", &|model, _| {
        model.functions = vec![FunctionProto { name: "Relu".into(), domain: String::new() }];
    });
    refused("functions", &|_, graph| graph.node[0].overload = "mine".into());
    refused("sparse", &|_, graph| graph.sparse_initializer = vec![AnyProto {}]);
    refused("`alpha` = 3", &|_, graph| graph.node[0].attribute = vec![int("alpha", 3)]);
    refused("operand 1", &|_, graph| graph.node[0].input.push("x".into()));
    refused("output 1", &|_, graph| graph.node[0].output.push("z".into()));
    refused("already", &|_, graph| graph.node.push(node("Relu", &["x"], vec![])));
    refused("int64", &|_, graph| {
        graph.initializer = vec![integers("t", &[1, 2])];
        graph.node = vec![node("Add", &["x", "t"], vec![])];
    });
    refused("refers to", &|_, graph| {
        graph.node =
            vec![node("Flatten", &["x"], vec![AttributeProto { ref_attr_name: "a".into(), ..int("axis", 1) }])];
    });
    refused("twice", &|_, graph| graph.node = vec![node("Flatten", &["x"], vec![int("axis", 1), int("axis", 0)])]);
    refused("type 3", &|_, graph| graph.node = vec![node("Flatten", &["x"], vec![text("axis", "1")])]);
    refused("`mode` = `mirror`", &|_, graph| {
        graph.initializer = vec![integers("p", &[0, 1, 0, 1])];
        graph.node = vec![node("Pad", &["x", "p"], vec![text("mode", "mirror")])];
    });
    refused("only in versions up to 12", &|_, graph| {
        graph.node = vec![node("Squeeze", &["x"], vec![ints("axes", &[0])])];
    });
    refused("another file", &|_, graph| {
        graph.initializer = vec![TensorProto { data_location: 1, ..floats("c", &[1], &[1.0]) }];
    });
    refused("float8", &|_, graph| graph.initializer = vec![TensorProto { data_type: 17, ..floats("c", &[0], &[]) }]);
    refused("shape [1, 3]", &|_, graph| graph.output = vec![info("y", &[1, 3])]);
    refused("output `y` has data type double", &|_, graph| {
        let r#type = graph.output[0].r#type.as_mut().and_then(|t| t.tensor_type.as_mut());
        r#type.expect("a tensor").elem_type = 11;
    });
    refused("subgraphs", &|_, graph| graph.node[0].op_type = "If".into());
    refused("functions", &|model, graph| {
        graph.node[0].domain = "acme".into();
        model.functions = vec![FunctionProto { name: "Relu".into(), domain: "acme".into() }];
    });
    refused("`signed` is missing", &|_, graph| {
        graph.initializer = ["s", "z", "b"].map(|name| floats(name, &[], &[2.0])).into();
        graph.node = vec![node("Quant", &["x", "s", "z", "b"], vec![int("narrow", 0)])];
    });
    refused("`DynamicQuantizeLinear`): scales", &|_, graph| graph.node[0].op_type = "DynamicQuantizeLinear".into());
    refused("input `x`: data type double", &|_, graph| {
        let r#type = graph.input[0].r#type.as_mut().and_then(|t| t.tensor_type.as_mut());
        r#type.expect("a tensor").elem_type = 11;
    });
}

#[test]
fn odd_nodes_are_errors() {
    let max = i64::MAX;
    let quant =
        |scale: f32, bits: f32| vec![floats("s", &[], &[scale]), floats("z", &[], &[0.0]), floats("b", &[], &[bits])];
    let quant_node = || vec![node("Quant", &["x", "s", "z", "b"], vec![])];
    let window = |kernel: &[i64], strides: &[i64], pads: &[i64]| {
        vec![node("MaxPool", &["x"], vec![ints("kernel_shape", kernel), ints("strides", strides), ints("pads", pads)])]
    };
    let image: &[i64] = &[1, 1, 4, 4];
    let cases: Vec<(&str, Result<(), String>)> = vec![
        ("huge input", read(&[max, max], vec![], vec![node("Relu", &["x"], vec![])])),
        ("negative extent", read(&[1, -3], vec![], vec![node("Relu", &["x"], vec![])])),
        ("no samples", read(&[0, 3], vec![], vec![node("Relu", &["x"], vec![])])),
        ("no results", read(&[1, 2], vec![floats("w", &[2, 0], &[])], vec![node("MatMul", &["x", "w"], vec![])])),
        ("unknown operator", read(&[1, 2], vec![], vec![node("Fly", &["x"], vec![])])),
        ("no operand", read(&[1, 2], vec![], vec![node("Relu", &[], vec![])])),
        ("unknown operand", read(&[1, 2], vec![], vec![node("Relu", &["w"], vec![])])),
        ("no result", read(&[1, 2], vec![], vec![])),
        ("zero scale", read(&[1, 2], quant(0.0, 4.0), quant_node())),
        ("infinite scale", read(&[1, 2], quant(f32::INFINITY, 4.0), quant_node())),
        ("NaN bits", read(&[1, 2], quant(1.0, f32::NAN), quant_node())),
        ("fractional bits", read(&[1, 2], quant(1.0, 2.5), quant_node())),
        ("zero kernel", read(image, vec![], window(&[0, 0], &[1, 1], &[0; 4]))),
        ("zero stride", read(image, vec![], window(&[1, 1], &[0, 1], &[0; 4]))),
        ("huge kernel", read(image, vec![], window(&[max, max], &[1, 1], &[0; 4]))),
        ("huge pads", read(image, vec![], window(&[2, 2], &[1, 1], &[max; 4]))),
        ("large pads", read(image, vec![], window(&[2, 2], &[1, 1], &[1 << 20; 4]))),
        ("negative pads", read(image, vec![], window(&[2, 2], &[1, 1], &[-1; 4]))),
        ("ranks", read(&[1, 4], vec![], window(&[2, 2], &[1, 1], &[0; 4]))),
        (
            "reshape to too many",
            read(&[1, 4], vec![integers("t", &[max, max])], vec![node("Reshape", &["x", "t"], vec![])]),
        ),
        (
            "reshape with two gaps",
            read(&[1, 4], vec![integers("t", &[-1, -1, 3])], vec![node("Reshape", &["x", "t"], vec![])]),
        ),
        (
            "gather",
            read(
                &[1, 4],
                vec![integers("t", &[i64::MIN])],
                vec![node("Gather", &["x", "t"], vec![ints("axis", &[1])])],
            ),
        ),
        ("transpose", read(&[1, 4], vec![], vec![node("Transpose", &["x"], vec![ints("perm", &[i64::MIN, 0])])])),
        ("axis", read(&[1, 4], vec![], vec![node("ArgMax", &["x"], vec![ints("axis", &[i64::MIN])])])),
        ("flatten", read(&[1, 4], vec![], vec![node("Flatten", &["x"], vec![ints("axis", &[9])])])),
        ("filled", read(&[1, 4], vec![integers("t", &[1 << 40])], vec![node("ConstantOfShape", &["t"], vec![])])),
        ("NaN constant", read(&[1, 2], vec![floats("c", &[1], &[f32::NAN])], vec![node("Mul", &["x", "c"], vec![])])),
        ("division by zero", read(&[1, 2], vec![floats("c", &[1], &[0.0])], vec![node("Div", &["x", "c"], vec![])])),
        ("misfit", read(&[1, 2], vec![floats("c", &[3], &[1.0; 3])], vec![node("Add", &["x", "c"], vec![])])),
        (
            "matrix misfit",
            read(&[1, 2], vec![floats("c", &[3, 1], &[1.0; 3])], vec![node("MatMul", &["x", "c"], vec![])]),
        ),
        (
            "wide weights",
            read(&[1, 2], vec![floats("c", &[2, 1], &[1e-30, 1e30])], vec![node("MatMul", &["x", "c"], vec![])]),
        ),
        (
            "groups",
            read(
                image,
                vec![floats("c", &[1, 1, 1, 1], &[1.0])],
                vec![node("Conv", &["x", "c"], vec![ints("group", &[0])])],
            ),
        ),
        ("blocks", read(image, vec![], vec![node("DepthToSpace", &["x"], vec![ints("blocksize", &[max])])])),
        (
            "constants that stretch far",
            read(
                &[1, 2],
                vec![floats("a", &[1 << 18, 1], &vec![1.0; 1 << 18]), floats("b", &[1, 1 << 18], &vec![1.0; 1 << 18])],
                vec![node("Add", &["a", "b"], vec![])],
            ),
        ),
        (
            "short tensor",
            read(&[1, 2], vec![floats("c", &[1 << 20, 1 << 20], &[1.0])], vec![node("Mul", &["x", "c"], vec![])]),
        ),
    ];
    for (name, result) in cases {
        let error = result.expect_err(name);
        assert!(!error.is_empty() && error.len() < 2000, "{name}: {error}");
    }
}

/// Every prefix and many single-byte changes of a real file, and of JSON.
#[test]
fn damaged_files_never_panic() {
    let format = || vec![InputFormat::parse("u8.8").unwrap()];
    if let Some(path) = shared("models/mlperf-tiny/kws_w3a3_qonnx.onnx") {
        let bytes = std::fs::read(path).unwrap();
        for cut in (0..bytes.len()).step_by(bytes.len() / 40) {
            assert!(onnx::read(&bytes[..cut], &format()).is_err());
        }
        let tail = bytes.len() - 6000;
        for place in (0..400).chain(tail..bytes.len()).step_by(97) {
            let mut changed = bytes.clone();
            changed[place] ^= 0x55;
            let _ = onnx::read(&changed, &format());
        }
    }
    if let Some(path) = shared("models/mlperf-tiny/ad08_model.h5") {
        let bytes = std::fs::read(path).unwrap();
        for cut in (0..bytes.len()).step_by(bytes.len() / 40) {
            let read = keras::network(bytes[..cut].to_vec(), &format());
            assert!(read.is_err() || cut > bytes.len() / 4, "{cut} bytes are no network");
        }
        for place in (0..20_000).step_by(499) {
            let mut changed = bytes.clone();
            changed[place] ^= 0x55;
            let _ = keras::network(changed, &format());
        }
    }
    let json = include_str!("data/every_operator.json");
    for cut in (0..json.len()).step_by(101) {
        assert!(Graph::from_json(&json[..cut]).is_err());
    }
    for (place, character) in json.char_indices().filter(|(_, c)| c.is_ascii_digit()) {
        for digit in ["9", "-1", "99999999999"] {
            let changed = format!("{}{digit}{}", &json[..place], &json[place + character.len_utf8()..]);
            if let Ok(graph) = Graph::from_json(&changed) {
                let zeros = graph.inputs().iter().map(|i| i.ranges().into_iter().map(|(lo, _)| lo).collect::<Vec<_>>());
                let inputs: Vec<Vec<i64>> = zeros.collect();
                graph.evaluate(&inputs).unwrap();
            }
        }
    }
}

#[test]
fn no_model_at_all() {
    for bytes in [&b""[..], b"\x00", b"\x3a\xff\xff\xff\xff\x0f", b"{}", b"\x89HDF\r\n\x1a\n"] {
        assert!(onnx::read(bytes, &[]).is_err());
        assert!(keras::network(bytes.to_vec(), &[]).is_err());
        assert!(Graph::from_json(&String::from_utf8_lossy(bytes)).is_err());
    }
    for text in ["", "8.4", "u", "u8.x", "s0.0", "u33", "u8.99", "x==", "é8", "=u8.300"] {
        assert!(InputFormat::parse(text).is_err(), "{text}");
    }
}
