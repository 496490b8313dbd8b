//! Makes the configuration of a client, and explains why a client cannot be made. No sentence shows the value of a setting.

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::KafkaError;

use super::address::Address;

/// Returns the configuration with `settings`. A later one replaces an earlier one of the same name.
pub fn config(settings: impl IntoIterator<Item = (String, String)>) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.extend(settings);
    let level = match log::log_enabled!(log::Level::Debug) {
        true => RDKafkaLogLevel::Info,
        false => RDKafkaLogLevel::Critical,
    };
    config.set_log_level(level);
    config
}

/// Returns the sentence for a client that cannot be made with the settings of `address`.
pub fn not_created(address: &Address, error: &KafkaError) -> String {
    let why = match error {
        KafkaError::ClientConfig(_, description, setting, _) => {
            format!("its setting {setting} is refused: {description}")
        }
        KafkaError::ClientCreation(description) => format!("the client cannot be made: {description}"),
        other => format!("the client cannot be made: {other}"),
    };
    format!("{address}: {}", address.mask(&why))
}

#[cfg(test)]
mod tests {
    use rdkafka::types::RDKafkaConfRes as Known;

    use super::*;
    use crate::kafka::Role;
    use crate::kafka::settings::{SETTINGS, settings};

    #[test]
    fn every_setting_that_an_address_may_hold_is_known_to_the_client() {
        for setting in SETTINGS {
            let mut config = ClientConfig::new();
            let refused = config.set(setting.name, "1").create_native_config().err();
            let is_unknown =
                |error: &KafkaError| matches!(error, KafkaError::ClientConfig(Known::RD_KAFKA_CONF_UNKNOWN, ..));
            assert!(!refused.as_ref().is_some_and(is_unknown), "{}: {refused:?}", setting.name);
        }
    }

    #[test]
    fn a_client_that_cannot_be_made_is_explained_without_the_values_of_settings() {
        let text = "kafka://u:hush@h/t?sasl.mechanism=PLAIN&socket.timeout.ms=hush&security.protocol=sasl_plaintext";
        let address = Address::parse(text, Role::Producer, &[]).unwrap();
        let config = config(settings(&address, Role::Producer).unwrap());
        let Err(error) = config.create_native_config() else { panic!("the setting was taken") };
        let words = not_created(&address, &error);
        assert!(words.starts_with("kafka://***@h/t: its setting socket.timeout.ms is refused: "), "{words}");
        assert!(!words.contains("hush"), "{words}");
    }
}
