//! The Redis servers, in Django's order.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionInfo, ErrorKind, FromRedisValue, IntoConnectionInfo,
    Pipeline, RedisError, RedisResult, ScriptInvocation, ServerErrorKind, TlsCertificates,
};
use tokio::sync::Mutex;

use super::config::LayerConfig;
use super::error::LayerError;

/// How long Redis has to take a connection, and to answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// One server.
#[derive(Debug)]
pub(crate) struct Host {
    /// Its place in the order.
    pub(crate) index: usize,
    client: Client,
    line: Mutex<Option<MultiplexedConnection>>,
}

/// All servers of the configuration.
pub(crate) fn open(config: &LayerConfig) -> Result<Vec<Host>, LayerError> {
    let setting = |error: RedisError| LayerError::Setting(format!("the Redis hosts cannot be used: {error}"));
    let mut hosts = Vec::new();
    for (index, address) in config.hosts.iter().enumerate() {
        let info = with_credentials(address.expose().into_connection_info().map_err(setting)?, config);
        let client = client(info, config).map_err(setting)?;
        hosts.push(Host { index, client, line: Mutex::new(None) });
    }
    if hosts.is_empty() {
        return Err(LayerError::Setting("no Redis host is named".to_owned()));
    }
    Ok(hosts)
}

fn with_credentials(info: ConnectionInfo, config: &LayerConfig) -> ConnectionInfo {
    let mut settings = info.redis_settings().clone();
    if let (None, Some(username)) = (settings.username(), &config.username) {
        settings = settings.set_username(username);
    }
    if let (None, Some(password)) = (settings.password(), &config.password) {
        settings = settings.set_password(password.expose());
    }
    let tcp = info.tcp_settings().clone().set_nodelay(true);
    info.set_redis_settings(settings).set_tcp_settings(tcp)
}

fn client(info: ConnectionInfo, config: &LayerConfig) -> RedisResult<Client> {
    let is_tls = matches!(info.addr(), redis::ConnectionAddr::TcpTls { .. });
    let certificates = TlsCertificates {
        root_cert: config.authority.clone(),
        client_tls: config.client_certificate.as_ref().map(|client| ClientTlsConfig {
            client_cert: client.certificate.clone(),
            client_key: client.key.expose().as_bytes().to_vec(),
        }),
    };
    if is_tls { Client::build_with_tls(info, certificates) } else { Client::open(info) }
}

impl Host {
    /// Asks the server, on a line that is kept until it fails.
    pub(crate) async fn script<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, LayerError> {
        let mut line = self.line().await?;
        let answer = script.invoke_async(&mut line).await;
        self.keep_or_drop(answer).await
    }

    /// Asks several things at once. What the server refuses comes back in its place.
    pub(crate) async fn pipeline<T: FromRedisValue>(
        &self,
        pipeline: &mut Pipeline,
    ) -> Result<Vec<RedisResult<T>>, LayerError> {
        let mut line = self.line().await?;
        let answer = pipeline.ignore_errors().query_async(&mut line).await;
        self.keep_or_drop(answer).await
    }

    /// Something went wrong on this server.
    pub(crate) fn error(&self, error: RedisError) -> LayerError {
        LayerError::Redis { host: self.index, error }
    }

    /// A line of one's own, on which the server may take `patience` to answer.
    pub(crate) async fn connect(&self, patience: Duration) -> RedisResult<MultiplexedConnection> {
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(patience));
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// A line that hears what is published.
    pub(crate) async fn subscriber(&self) -> RedisResult<redis::aio::PubSub> {
        match tokio::time::timeout(PATIENCE, self.client.get_async_pubsub()).await {
            Ok(line) => line,
            Err(_) => Err(RedisError::from((ErrorKind::Io, "no connection within the time allowed"))),
        }
    }

    /// The next question goes on a line of its own.
    pub(crate) async fn hang_up(&self) {
        *self.line.lock().await = None;
    }

    async fn line(&self) -> Result<MultiplexedConnection, LayerError> {
        let mut line = self.line.lock().await;
        if let Some(line) = &*line {
            return Ok(line.clone());
        }
        let new = self.connect(PATIENCE).await.map_err(|error| self.error(error))?;
        Ok(line.insert(new).clone())
    }

    /// A line that hangs is not used again, be it closed or silent. Nor is one to a server that became a replica:
    /// the address may stand for another one by now.
    async fn keep_or_drop<T>(&self, answer: RedisResult<T>) -> Result<T, LayerError> {
        match answer {
            Ok(answer) => Ok(answer),
            Err(error) => {
                let is_answer = matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension);
                if !is_answer || error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly) {
                    self.hang_up().await;
                }
                Err(self.error(error))
            }
        }
    }
}
