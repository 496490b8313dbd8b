//! The options of an engine.

use std::path::PathBuf;
use std::time::Duration;

/// How requests are made.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// The largest number of requests at a time.
    pub workers: usize,
    /// The time that a request may take, with all its redirects.
    pub timeout: Duration,
    /// The largest number of redirects of a request that are followed. With 0, a redirect is an answer like any other.
    pub redirects: u32,
    /// Whether connections, TLS sessions and looked-up names are kept for later requests.
    pub reuse: bool,
    /// The proxy.
    pub proxy: Proxy,
    /// The file of the certificates that are trusted, instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// The name with which requests introduce themselves.
    pub user_agent: String,
}

impl Default for EngineOptions {
    fn default() -> Self {
        EngineOptions {
            workers: 64,
            timeout: Duration::from_secs(30),
            redirects: 0,
            reuse: false,
            proxy: Proxy::None,
            ca_file: None,
            user_agent: concat!("logator/", env!("CARGO_PKG_VERSION")).into(),
        }
    }
}

/// The proxy of all requests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Proxy {
    /// No proxy, whatever the environment says.
    #[default]
    None,
    /// The proxy that the environment names (`http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`).
    Environment,
    /// The proxy with this URL.
    At(String),
}
