//! A receiver of webhooks that writes down what it is told.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use serde_json::Value;
use tokio::task::JoinHandle;

type Told = Arc<Mutex<BTreeSet<(String, String)>>>;

/// Listens on 127.0.0.1 until it is dropped.
pub(crate) struct Receiver {
    pub(crate) url: String,
    told: Told,
    serving: JoinHandle<()>,
}

impl Receiver {
    pub(crate) async fn open() -> Self {
        let told = Told::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hooks", listener.local_addr().unwrap());
        let router = Router::new().route("/hooks", post(hear)).with_state(told.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, told, serving }
    }

    /// The subjects of the events of this type, each once.
    pub(crate) fn subjects(&self, kind: &str) -> BTreeSet<String> {
        let told = self.told.lock().unwrap();
        told.iter().filter(|(of, _)| of == kind).map(|(_, subject)| subject.clone()).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn hear(State(told): State<Told>, body: String) {
    let event: Value = serde_json::from_str(&body).unwrap();
    let text = |name: &str| event[name].as_str().unwrap().to_owned();
    told.lock().unwrap().insert((text("type"), text("subject")));
}
