//! The schema registry that an address names.

use super::address::{Address, REGISTRY, REGISTRY_AUTHORITIES, REGISTRY_LOGIN};
use crate::avro::registry::RegistryAddress;

/// Returns the registry of `address`; `None` if it names none.
///
/// # Errors
/// The end of a sentence for the user. It shows no secret.
pub fn registry(address: &Address) -> Result<Option<RegistryAddress>, String> {
    let Some(url) = address.option(REGISTRY) else { return Ok(None) };
    let mut registry = RegistryAddress::parse(url)?;
    if let Some(login) = address.option(REGISTRY_LOGIN) {
        let (user, password) = login.split_once(':').ok_or("registryLogin is written USER:PASSWORD")?;
        registry = registry.with_login(user, password);
    }
    if let Some(file) = address.option(REGISTRY_AUTHORITIES) {
        registry = registry.with_authorities(file.into())?;
    }
    Ok(Some(registry))
}
