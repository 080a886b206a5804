//! Layers of product settings, from the general to the special, into the typed settings of one process.
//!
//! Separate because the order of the layers is a rule that users rely on: the profile's defaults, the scenario's `system`, the
//! imported file, the server or service itself, the command line.

use crate::protocol::eureka::config::{ClientConfig, Fixes, InstanceConfig, Profile, ServerConfig};
use crate::scenario::system::Settings;

/// Each later layer wins.
pub(super) fn server(profile: Profile, layers: &[&Settings]) -> ServerConfig {
    let mut config = ServerConfig::defaults(profile);
    each(layers, |key, value| config.set(key, value).is_ok());
    config
}

/// Each later layer wins.
pub(super) fn client(profile: Profile, layers: &[&Settings]) -> ClientConfig {
    let mut config = ClientConfig::defaults(profile);
    each(layers, |key, value| config.set(key, value).is_ok());
    config
}

/// Each later layer wins.
pub(super) fn instance(profile: Profile, layers: &[&Settings]) -> InstanceConfig {
    let mut config = InstanceConfig::defaults(profile);
    each(layers, |key, value| config.set(key, value).is_ok());
    config
}

/// The version that is simulated.
pub(super) fn fixes(profile: Profile, settings: &Settings) -> Fixes {
    let mut fixes = Fixes::defaults(profile);
    each(&[settings], |key, value| fixes.set(key, value).is_ok());
    fixes
}

/// A setting that was refused has been reported when it was read, and there will be no plan: here it is passed over.
fn each(layers: &[&Settings], mut set: impl FnMut(&str, &str) -> bool) {
    for setting in layers.iter().flat_map(|layer| &layer.0) {
        set(&setting.key, &setting.value);
    }
}
