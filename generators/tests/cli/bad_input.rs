//! Mistakes that users make: what the program says, its exit code, and that it touches nothing.

use std::path::Path;
use std::process::{Command, Stdio};

use expect_test::expect_file;
use hdf5_pure::{AttrValue, FileBuilder, GroupBuilder};
use serde_json::{Value as Json, json};

use crate::support::Home;

/// Runs `hwgen` with `args`, compares what it says with `errors/<name>.txt`, and the folder with what it was.
fn assert_refused(home: &Home, name: &str, args: &[&str]) {
    assert_refused_by(home, name, args, &mut home.command(args));
}

fn assert_refused_by(home: &Home, name: &str, args: &[&str], command: &mut Command) {
    let before = home.tree();
    let output = command.output().unwrap();
    assert!(matches!(output.status.code(), Some(1 | 2)), "{output:?}");
    expect_file![format!("errors/{name}.txt")].assert_eq(&home.transcript(args, &output));
    assert!(home.tree() == before, "{name}: something was changed");
}

/// Register values in the form that `--model` takes.
fn weights() -> Json {
    json!({
        "conv_weight": vec![vec![vec![1; 8]; 3]; 3],
        "conv_bias": vec![0; 8],
        "dense_weight": vec![vec![1; 128]; 16],
        "dense_bias": vec![0; 16],
    })
}

/// The same with `value` under `key`.
fn weights_with(key: &str, value: Json) -> String {
    let mut weights = weights();
    weights[key] = value;
    weights.to_string()
}

/// A trained network as QKeras saves it, with these biases of the convolution.
fn keras_file(conv_bias: &[f32]) -> Vec<u8> {
    let quantiser = |class: &str| match class {
        "quantized_relu" => json!({"class_name": class, "config": {"bits": 6, "integer": 1}}),
        _ => {
            json!({"class_name": class, "config": {"bits": 6, "integer": 1, "alpha": 1, "symmetric": 0, "keep_negative": 1}})
        }
    };
    let activation = |name: &str, class: &str| json!({"class_name": "QActivation", "config": {"name": name, "activation": quantiser(class)}, "name": name});
    let computing = |class: &str, name: &str| {
        let mut config = json!({
            "name": name, "use_bias": true, "activation": "linear",
            "kernel_quantizer": quantiser("quantized_bits"), "bias_quantizer": quantiser("quantized_bits")});
        let own = match class {
            "QConv2D" => {
                json!({"filters": 8, "kernel_size": [3, 3], "strides": [2, 2], "padding": "same", "dilation_rate": [1, 1],
                    "data_format": "channels_last", "groups": 1})
            }
            _ => json!({"units": 16}),
        };
        config.as_object_mut().unwrap().append(&mut own.as_object().unwrap().clone());
        json!({"class_name": class, "name": name, "config": config})
    };
    let config = json!({"class_name": "Sequential", "config": {"layers": [
        activation("in", "quantized_bits"),
        computing("QConv2D", "conv"),
        activation("hidden", "quantized_relu"),
        computing("QDense", "dense"),
        activation("out", "quantized_relu"),
    ]}});
    let mut file = FileBuilder::new();
    file.set_attr("model_config", AttrValue::VarLenString(config.to_string()));
    let mut tensors = file.create_group("model_weights");
    let layer = |tensors: &mut GroupBuilder, name: &str, shape: &[u64], bias: &[f32]| {
        let mut outer = tensors.create_group(name);
        let mut inner = outer.create_group(name);
        let kernel = vec![0.5; shape.iter().product::<u64>() as usize];
        inner.create_dataset("kernel:0").with_f32_data(&kernel).with_shape(shape);
        inner.create_dataset("bias:0").with_f32_data(bias).with_shape(&[bias.len() as u64]);
        outer.add_group(inner.finish());
        tensors.add_group(outer.finish());
    };
    layer(&mut tensors, "conv", &[3, 3, 1, 8], conv_bias);
    layer(&mut tensors, "dense", &[128, 16], &[0.0; 16]);
    file.add_group(tensors.finish());
    file.finish().unwrap()
}

/// Bytes that mean nothing.
fn noise() -> Vec<u8> {
    (0..5000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

#[test]
fn model_files() {
    let home = Home::new();
    let refused = |name: &str, file: &str, content: &[u8]| {
        home.write(file, content);
        assert_refused(&home, name, &["encoder", "--model", file, "--out", "rtl"]);
    };
    assert_refused(&home, "model-missing", &["encoder", "--model", "none.json", "--out", "rtl"]);
    assert_refused(&home, "model-folder", &["encoder", "--model", ".", "--out", "rtl"]);
    let json = weights().to_string();
    refused("model-broken", "broken.json", &json.as_bytes()[..json.len() / 2]);
    refused("model-empty", "empty.json", b"");
    refused("model-key", "key.json", b"{}");
    let texts = [
        ("model-shape", weights_with("conv_weight", json!([[[1]]]))),
        ("model-count", weights_with("dense_bias", json!(vec![0; 17]))),
        ("model-text", weights_with("conv_bias", json!([0, 0, 0, "x", 0, 0, 0, 0]))),
        ("model-range", weights_with("conv_bias", json!([0, 0, 0, 32, 0, 0, 0, 0]))),
        ("model-nan", weights_with("conv_bias", json!("NaN")).replace("\"NaN\"", "[NaN]")),
        ("model-1e400", weights_with("conv_bias", json!("big")).replace("\"big\"", "[1e400]")),
        ("model-nested", "[".repeat(1 << 20)),
    ];
    for (name, text) in texts {
        refused(name, &format!("{name}.json"), text.as_bytes());
    }
    refused("model-noise", "noise.bin", &noise());
}

#[test]
fn keras_files() {
    let home = Home::new();
    let sound = keras_file(&[0.5; 8]);
    let run = |name: &str, content: &[u8]| {
        home.write("model.h5", content);
        let args = ["encoder", "--contract", "qkeras", "--input", "normalised", "--model", "model.h5", "--out", "rtl"];
        assert_refused(&home, name, &args);
    };
    let mut biases = [0.5; 8];
    biases[3] = f32::NAN;
    run("keras-nan", &keras_file(&biases));
    biases[3] = f32::INFINITY;
    run("keras-infinite", &keras_file(&biases));
    run("keras-shape", &keras_file(&[0.5; 7]));
    run("keras-cut", &sound[..sound.len() / 2]);
    run("keras-header", &sound[..8]);
    run("keras-noise", &[&sound[..8], &noise()].concat());
    home.write("model.h5", &sound);
    assert_refused(&home, "keras-contract", &["encoder", "--model", "model.h5", "--out", "rtl"]);
    home.success(&[
        "encoder",
        "--no-verify",
        "--contract",
        "qkeras",
        "--input",
        "normalised",
        "--model",
        "model.h5",
        "--out",
        "rtl",
    ]);
}

#[test]
fn no_damage_to_a_keras_file_is_a_crash() {
    let home = Home::new();
    let sound = keras_file(&[0.5; 8]);
    for cut in 0..12 {
        let mut damaged = sound.clone();
        let at = sound.len() * cut / 12;
        damaged[at..].iter_mut().take(16).for_each(|byte| *byte ^= 0xa5);
        for content in [&damaged[..], &sound[..at]] {
            home.write("model.h5", content);
            let output = home.run(&["encoder", "--contract", "qkeras", "--model", "model.h5", "--out", "rtl"]);
            assert!(matches!(output.status.code(), Some(0 | 2)), "byte {at}: {output:?}");
        }
    }
}

#[test]
fn numbers() {
    let home = Home::new();
    let refused = |name: &str, options: &[&str]| {
        assert_refused(&home, name, &[&["encoder", "--out", "rtl"], options].concat());
    };
    refused("bits-0", &["--bits", "0"]);
    refused("bits-99", &["--bits", "99"]);
    refused("clock-0", &["--clock-ns", "0"]);
    refused("clock-nan", &["--clock-ns", "nan"]);
    refused("target", &["--target", "vacuum-tubes"]);
}

/// What products are made of may be chosen only where there are such products.
#[test]
fn choices_without_effect() {
    let home = Home::new();
    for (name, command) in [
        ("products-encoder", "encoder --multipliers booth"),
        ("products-programmable", "encoder --weights programmable --sums cells"),
        ("products-dense", "dense --layers 4,2 --multipliers array"),
        ("products-interaction", "interaction --nodes 4 --edges 4 --multipliers booth8"),
        ("products-target", "encoder --target xcup --sums cells"),
        ("products-area", "dense --layers 4,2 --target xcup --area-factor 2"),
        ("products-area-range", "dense --layers 4,2 --target osu018 --area-factor 0.9"),
    ] {
        let command: Vec<&str> = command.split(' ').collect();
        let args = [&command[..], &["--out", "rtl"]].concat();
        assert_refused(&home, name, &args);
    }
}

/// What a refusal names depends on the design, so only its words are fixed.
#[test]
fn impossible_timing() {
    let home = Home::new();
    for (options, says) in [
        (&["--latency", "0"][..], "the least possible latency at this clock is "),
        (&["--latency", "1", "--clock-ns", "5"], "the least possible latency at this clock is "),
        (&["--latency", "5000"], "at most 4096 cycles can be asked for"),
        (&["--clock-ns", "0.05"], "the least possible clock is "),
    ] {
        let args = [&["encoder", "--out", "rtl"], options].concat();
        let output = home.run(&args);
        let transcript = home.transcript(&args, &output);
        assert_eq!(output.status.code(), Some(2), "{transcript}");
        assert!(transcript.contains(says), "{transcript}");
        assert!(home.tree().is_empty(), "{transcript}");
    }
}

/// The least latency that a refusal names is possible, and one less is not.
#[test]
fn the_least_latency_is_the_least() {
    let home = Home::new();
    let run = |latency: &str| home.run(&["encoder", "--clock-ns", "6", "--latency", latency, "--out", "rtl"]);
    let refusal = String::from_utf8(run("0").stderr).unwrap();
    let (_, rest) = refusal.split_once("the least possible latency at this clock is ").unwrap();
    let least: u32 = rest.split(' ').next().unwrap().parse().unwrap();
    assert_eq!(run(&(least - 1).to_string()).status.code(), Some(2));
    assert_eq!(run(&least.to_string()).status.code(), Some(0));
}

#[test]
fn top_names() {
    let home = Home::new();
    let refused = |name: &str, top: &str| {
        assert_refused(&home, name, &["encoder", "--out", "rtl", "--top", top]);
    };
    refused("top-keyword", "module");
    refused("top-space", "a b");
    refused("top-semicolon", "a;b");
    refused("top-slash", "../a");
    refused("top-empty", "");
    refused("top-10000", &"x".repeat(10_000));
    refused("top-255", &"x".repeat(255));
    let longest = "x".repeat(128);
    home.success(&["encoder", "--no-verify", "--out", "rtl", "--top", &longest, "--weights", "programmable"]);
    assert!(home.path(&format!("rtl/{longest}_tb.v")).is_file());
}

#[test]
fn output_folders() {
    let home = Home::new();
    home.write("thesis/chapter.tex", "years of work");
    home.write("file", "");
    assert_refused(&home, "out-foreign", &["encoder", "--out", "thesis"]);
    assert_refused(&home, "out-file", &["encoder", "--out", "file"]);
    assert_refused(&home, "out-below-file", &["encoder", "--out", "file/below"]);
    assert_refused(&home, "out-long", &["encoder", "--out", &"x".repeat(300)]);
    assert_refused(&home, "image-exists", &["weights", "pack", "--out", "file"]);
    assert_refused(&home, "image-folder", &["weights", "pack", "--out", "none/image.hex"]);
}

/// `/proc` takes no new folder from anybody, not even from root. The system's own reason depends on who asks.
#[test]
#[cfg(target_os = "linux")]
fn an_unwritable_folder() {
    let output = Home::new().run(&["encoder", "--out", "/proc/rtl"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.starts_with("error[file]: cannot write into the folder: "), "{text}");
    assert!(text.ends_with("\n  --> /proc: this one\n"), "{text}");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn register_images() {
    let home = Home::new();
    let refused = |name: &str, content: &str| {
        home.write("image.hex", content);
        assert_refused(&home, name, &["weights", "unpack", "image.hex", "--out", "weights.json"]);
    };
    refused("image-text", "00\nxy\n");
    refused("image-short", "00\n01 // a comment\n");
    refused("image-empty", "");
}

#[test]
fn folders_to_simulate() {
    let home = Home::new();
    home.success(&["encoder", "--no-verify", "--out", "rtl"]);
    home.write("other/file", "");
    assert_refused(&home, "sim-missing", &["sim", "none"]);
    assert_refused(&home, "sim-foreign", &["sim", "other"]);
    let damaged = |name: &str, file: &str, content: &[u8]| {
        let path = format!("rtl/{file}");
        let sound = std::fs::read(home.path(&path)).unwrap();
        home.write(&path, content);
        assert_refused(&home, name, &["sim", "rtl"]);
        home.write(&path, sound);
    };
    damaged("sim-graph-noise", "design.dfg", b"noise");
    damaged("sim-graph-empty", "design.dfg", b"");
    damaged("sim-model-cut", "model.json", b"{");
    damaged("sim-model-wrong", "model.json", b"{\"top\": 3}");
    damaged("sim-vectors-empty", "vectors/vectors.json", b"");
    damaged("sim-vectors-ports", "vectors/vectors.json", br#"{"inputs": {"x": [[1]]}, "outputs": {}}"#);
    std::fs::remove_file(home.path("rtl/design.dfg")).unwrap();
    assert_refused(&home, "sim-graph-missing", &["sim", "rtl"]);
}

#[test]
fn vectors() {
    let home = Home::new();
    home.success(&["encoder", "--no-verify", "--out", "rtl"]);
    let refused = |name: &str, content: &[u8]| {
        home.write("vectors.json", content);
        assert_refused(&home, name, &["sim", "rtl", "--vectors", "vectors.json"]);
    };
    refused("vectors-broken", b"{\"calq\": [[");
    refused("vectors-noise", &noise());
    refused("vectors-no-input", b"{}");
    refused("vectors-width", br#"{"calq": [[1, 2]], "encoded": [[0]]}"#);
    refused("vectors-none", br#"{"calq": [], "encoded": []}"#);
    refused("vectors-number", br#"{"calq": 5, "encoded": []}"#);
    let event = vec![0; 48];
    refused("vectors-no-output", json!({"calq": [event]}).to_string().as_bytes());
    let wrong = json!({"calq": [event], "module_sum_5e4m": [1 << 20]});
    refused("vectors-range", wrong.to_string().as_bytes());
    let unequal = json!({"calq": [event, event], "module_sum_5e4m": [0]});
    refused("vectors-unequal", unequal.to_string().as_bytes());
}

#[test]
fn missing_simulators() {
    let home = Home::new();
    home.success(&["encoder", "--no-verify", "--out", "rtl"]);
    for engine in ["icarus", "verilator"] {
        let args = ["sim", "rtl", "--engine", engine];
        let mut command = home.command(&args);
        command.env("PATH", "");
        assert_refused_by(&home, &format!("no-{engine}"), &args, &mut command);
    }
}

/// A reader that went away, or a full disk behind the output, is no crash.
#[test]
fn nobody_listens() {
    let home = Home::new();
    home.success(&["encoder", "--no-verify", "--out", "rtl"]);
    // of a closed pipe, and of a full disk, which is a failure that nobody may hear of
    let ends = |args: &[&str], code: i32, full_code: i32| {
        // a pipe whose reading end is closed before the program writes
        let mut child = home.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        assert_eq!(child.wait().unwrap().code(), Some(code), "{args:?}");
        if Path::new("/dev/full").exists() {
            let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
            let status = home.command(args).stdout(full()).stderr(full()).status();
            assert_eq!(status.unwrap().code(), Some(full_code), "{args:?}");
        }
    };
    ends(&["sim", "rtl"], 0, 1);
    ends(&["sim", "rtl", "--json"], 0, 1);
    ends(&["sim", "none"], 2, 2);
}
