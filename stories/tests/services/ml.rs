//! Models, asked over the Open Inference Protocol by `curl`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::town::{PATIENCE, Town, client, docker, has_engine, uri};

const IMAGES: [&str; 3] = ["fondaco/onnx:1", "fondaco/pytorch:1", "fondaco/tensorflow:1"];
const STORAGE: [&str; 1] = ["fondaco/s3-storage:1"];
/// Two irises: a setosa and a virginica.
const MEASURES: [f64; 8] = [5.1, 3.5, 1.4, 0.2, 6.7, 3.0, 5.2, 2.3];
/// A model of 120 bytes: y = 2 x + 1.
const DOUBLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/services/double.onnx");

/// What each framework itself says of the irises, without any server.
const BY_ONNX: &str = r#"
import json, numpy, onnxruntime
session = onnxruntime.InferenceSession("/opt/examples/onnx")
print(json.dumps(session.run(None, {"measures": numpy.array(ROWS, "f")})[0].ravel().tolist()))
"#;
const BY_PYTORCH: &str = r#"
import json, torch
print(json.dumps(torch.jit.load("/opt/examples/pytorch")(torch.tensor(ROWS)).ravel().tolist()))
"#;
const BY_TENSORFLOW: &str = r#"
import json, tensorflow, zipfile
zipfile.ZipFile("/opt/examples/tensorflow").extractall("/tmp/iris")
model = tensorflow.saved_model.load("/tmp/iris").signatures["serving_default"]
print(json.dumps(model(tensorflow.constant(ROWS))["probabilities"].numpy().ravel().tolist()))
"#;

/// What the server answered.
struct Reply {
    status: u16,
    body: Value,
}

/// Asks a deployment with a key.
fn curl(made: &Value, key: &str, path: &str, words: &[&str]) -> Reply {
    let (url, key) = (format!("{}{path}", uri(made)), format!("Authorization: Bearer {key}"));
    let said = client("curl", &[&["-sS", "-H", &key, "-w", "\n%{http_code}", url.as_str()], words].concat())
        .unwrap();
    let (body, status) = said.rsplit_once('\n').unwrap_or(("", said.as_str()));
    Reply { status: status.parse().unwrap(), body: serde_json::from_str(body).unwrap_or(Value::Null) }
}

fn key(made: &Value) -> String {
    made["credentials"]["password"].as_str().unwrap().to_owned()
}

fn id(made: &Value) -> String {
    made["deploymentId"].as_str().unwrap().to_owned()
}

fn numbers(reply: &Value) -> Vec<f64> {
    reply
        .as_array()
        .unwrap_or_else(|| panic!("no numbers: {reply}"))
        .iter()
        .map(|n| n.as_f64().unwrap())
        .collect()
}

fn irises() -> String {
    let input = json!({ "name": "measures", "datatype": "FP32", "shape": [2, 4], "data": MEASURES });
    json!({ "inputs": [input] }).to_string()
}

/// What a framework says in its image, asked without the server.
fn by_itself(framework: &str, script: &str) -> Vec<f64> {
    let rows = json!([&MEASURES[..4], &MEASURES[4..]]).to_string();
    let script = script.replace("ROWS", &rows);
    let path = format!("PYTHONPATH=/opt/frameworks/{framework}");
    let image = format!("fondaco/{framework}:1");
    let said = docker(&["run", "--rm", "-e", &path, "--entrypoint", "python3", &image, "-c", &script]);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    numbers(&serde_json::from_slice(&said.stdout).unwrap())
}

async fn deploy(town: &Town, service: &str, name: &str, config: Value) -> Value {
    let body = json!({ "serviceId": service, "name": name, "config": config });
    town.ask(reqwest::Method::POST, "/api/deployments", Some(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn models_answer_as_their_frameworks_do() {
    if !has_engine(&IMAGES) {
        return;
    }
    let town = Town::open(22_000).await;
    for (service, framework, script) in [
        ("onnx-runtime", "onnx", BY_ONNX),
        ("pytorch-inference", "pytorch", BY_PYTORCH),
        ("tensorflow-inference", "tensorflow", BY_TENSORFLOW),
    ] {
        let made = town.deploy(service, framework).await;
        town.is(&id(&made), "running").await;
        let known = curl(&made, &key(&made), "/v2/models/iris", &[]).body;
        assert_eq!(known["inputs"], json!([{ "name": "measures", "datatype": "FP32", "shape": [-1, 4] }]));
        let reply = curl(&made, &key(&made), "/v2/models/iris/infer", &["-d", &irises()]);
        assert_eq!(reply.status, 200, "{}", reply.body);
        let output = &reply.body["outputs"][0];
        assert_eq!((&output["name"], &output["shape"]), (&json!("probabilities"), &json!([2, 3])));
        let (served, alone) = (numbers(&output["data"]), by_itself(framework, script));
        let near = served.iter().zip(&alone).all(|(one, other)| (one - other).abs() < 1e-5);
        assert!(near && served.len() == alone.len(), "{framework}: {served:?} is not {alone:?}");
        assert!(served[0] > 0.9 && served[5] > 0.9, "it learned to tell irises apart: {served:?}");
        for (key, path) in [("wrong", "/v2/models"), ("", "/v2/models/iris/infer")] {
            assert_eq!(curl(&made, key, path, &[]).status, 401);
        }
        town.ask(reqwest::Method::DELETE, &format!("/api/deployments/{}", id(&made)), None).await;
    }
    town.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_model_is_taken_kept_and_counted_and_rubbish_is_not() {
    if !has_engine(&IMAGES) {
        return;
    }
    let own = "run --rm --read-only --cap-drop ALL --tmpfs /tmp --entrypoint python3 fondaco/onnx:1 \
               -W ignore -m unittest discover -s tests -t .";
    let own = docker(&own.split_whitespace().collect::<Vec<_>>());
    assert!(own.status.success(), "{}", String::from_utf8_lossy(&own.stderr));

    let town = Town::open(22_100).await;
    let made = town.deploy("svc-onnx", "models").await;
    town.is(&id(&made), "running").await;
    let ask = |path: &str, words: &[&str]| curl(&made, &key(&made), path, words);
    let double = || {
        let body = r#"{"inputs": [{"name": "x", "datatype": "FP32", "shape": [2], "data": [1, 2]}]}"#;
        numbers(&ask("/v2/models/double/infer", &["-d", body]).body["outputs"][0]["data"])
    };
    let stored = "/v2/repository/models/double";
    assert_eq!(curl(&made, "wrong", stored, &["-T", DOUBLE]).status, 401);
    assert_eq!(ask(stored, &["-T", DOUBLE]).status, 201);
    assert_eq!(double(), [3.0, 5.0]);

    let rubbish = ask(stored, &["-X", "PUT", "--data-binary", "this is no model"]);
    let why = rubbish.body["error"].as_str().unwrap().to_owned();
    assert!(rubbish.status == 422 && why.contains("still is"), "{} {why}", rubbish.status);
    assert_eq!(double(), [3.0, 5.0]);
    let wrong = ask("/v2/models/double/infer", &["-d", r#"{"inputs": [{"name": "x"}]}"#]);
    assert!(
        wrong.status == 400 && wrong.body["error"].as_str().unwrap().contains("datatype"),
        "{}",
        wrong.body
    );

    assert_eq!(ask(stored, &["-T", DOUBLE]).body["version"], "2");
    let older = ask(&format!("{stored}/load"), &["-d", r#"{"parameters": {"version": "1"}}"#]);
    assert_eq!((older.status, &older.body["version"]), (200, &json!("1")));

    let began = Instant::now();
    while town.get(&format!("/api/deployments/{}", id(&made))).await["metrics"]["requests"].as_f64()
        < Some(3.0)
    {
        assert!(began.elapsed() < PATIENCE, "its requests are not counted");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    for (step, status) in [("stop", "stopped"), ("start", "running")] {
        town.post(&format!("/api/deployments/{}/{step}", id(&made))).await;
        town.is(&id(&made), status).await;
    }
    assert_eq!(double(), [3.0, 5.0]);
    assert_eq!(ask("/v2/models", &[]).body["models"][0]["version"], "1", "the older one is still chosen");
    town.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_comes_from_the_storage_of_the_same_account() {
    if !has_engine(&IMAGES) || !has_engine(&STORAGE) {
        return;
    }
    let town = Town::open(22_200).await;
    let storage = town.deploy("s3-storage", "my-storage").await;
    town.is(&id(&storage), "running").await;
    let (access, secret) = (storage["credentials"]["accessKeyId"].as_str().unwrap(), key(&storage));
    let put = |path: &str, words: &[&str]| {
        let (user, url) = (format!("{access}:{secret}"), format!("{}/{path}", uri(&storage)));
        let unsigned = "x-amz-content-sha256: UNSIGNED-PAYLOAD";
        let fixed = ["-sSf", "--aws-sigv4", "aws:amz:us-east-1:s3", "-H", unsigned, "--user", &user, &url];
        client("curl", &[&fixed, words].concat()).unwrap();
    };
    put("my-models", &["-X", "PUT"]);
    put("my-models/double-model.onnx", &["-T", DOUBLE]);

    let model =
        json!({ "framework": "onnx", "version": "1.20", "modelPath": "s3://my-models/double-model.onnx" });
    let config = |key: &str, model: &Value| {
        let address = "http://my-storage:8080";
        json!({ "region": "us-west-2", "model": model, "s3Endpoint": address, "s3AccessKey": access, "s3SecretKey": key })
    };
    let made = deploy(&town, "ml-inference", "mine", config(&secret, &model)).await;
    town.is(&id(&made), "running").await;
    let body = r#"{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [20.5]}]}"#;
    let reply = curl(&made, &key(&made), "/v2/models/double-model/infer", &["-d", body]);
    assert_eq!(numbers(&reply.body["outputs"][0]["data"]), [42.0], "{}", reply.body);

    let newer = json!({ "framework": "onnx", "version": "9.0" });
    for (name, config, why) in [
        ("locked-out", config("wrong", &model), "403"),
        ("newer", config(&secret, &newer), "The model needs onnx 9.0"),
    ] {
        let made = deploy(&town, "ml-inference", name, config).await;
        let failed = town.is(&id(&made), "failed").await;
        assert!(failed["reason"].as_str().unwrap_or_default().contains(why), "{failed:#}");
    }
    town.close().await;
}
