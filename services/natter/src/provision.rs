//! `natter provision`.

use natter_host::exit::Misconfigured;
use natter_host::telemetry;
use natter_log_nats::{Outcome, ProvisionError, StreamSettings, provision};
use natter_model::id::Position;

use crate::cli::ProvisionConfig;

pub(crate) async fn run(config: &ProvisionConfig) -> anyhow::Result<()> {
    telemetry::init(&config.telemetry.clone().or_filter("warn"))?;
    let settings = StreamSettings {
        replicas: config.replicas.map(usize::from),
        first_sequence: Position::new(config.first_sequence),
        ..StreamSettings::default()
    };
    let done = provision(&config.nats.access("provision")?, &settings).await.map_err(explain)?;
    println!("The stream CHAT {}, the consumer persistence {}.", what(done.stream), what(done.consumer));
    Ok(())
}

fn what(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Created => "is created",
        Outcome::Updated => "is updated",
        Outcome::Unchanged => "is as it should be",
    }
}

fn explain(error: ProvisionError) -> anyhow::Error {
    match error {
        ProvisionError::BadUrl(_) | ProvisionError::Fixed { .. } => Misconfigured::new("NATS_URL", error).into(),
        ProvisionError::Unreachable(_) | ProvisionError::Refused { .. } => {
            anyhow::Error::new(error).context("NATS_URL")
        }
    }
}
