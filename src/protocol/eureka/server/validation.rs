//! What is asked of a registration before it is one (`ApplicationResource.addInstance`), in the order of the original, and in its
//! words. Separate because it is about what a client says, not about what the server holds.

use std::sync::Arc;

use super::Server;
use crate::protocol::eureka::instance::{About, DataCenter, InstanceInfo};

impl Server {
    /// Looks at a registration. `path` is the application that it came under, if not its own; the case of its letters does not
    /// count. One from Amazon that says no id is given one.
    ///
    /// # Errors
    /// With the text of the refusal.
    pub(super) fn validate(&self, path: Option<&str>, info: &mut Arc<InstanceInfo>) -> Result<(), Arc<str>> {
        let about = &*info.about;
        let required = [
            (about.id(), "Missing instanceId"),
            (&about.host_name, "Missing hostname"),
            (&about.ip_addr, "Missing ip address"),
            (&about.app, "Missing appName"),
        ];
        if let Some((_, refusal)) = required.into_iter().find(|(value, _)| value.is_empty()) {
            return Err(refusal.into());
        }
        if let Some(path) = path.map(str::to_uppercase).filter(|path| **path != *about.app) {
            return Err(format!("Mismatched appName, expecting {path} but was {}", about.app).into());
        }
        match &about.data_center {
            None => Err("Missing dataCenterInfo".into()),
            Some(DataCenter::Nameless) => Err("Missing dataCenterInfo Name".into()),
            Some(DataCenter::MyOwn | DataCenter::Netflix) => Ok(()),
            Some(DataCenter::Amazon(metadata)) => {
                let id = metadata.get("instance-id");
                if id.is_some_and(|id| !id.is_empty()) {
                    return Ok(());
                }
                if self.registry.config.validate_data_center_id {
                    return Err(REFUSAL_OF_AMAZON.into());
                }
                // An id that is there, but empty, stays.
                if id.is_none() {
                    let id: Arc<str> = about.id().into();
                    name_in_amazon(Arc::make_mut(&mut Arc::make_mut(info).about), id);
                }
                Ok(())
            }
        }
    }
}

const REFUSAL_OF_AMAZON: &str =
    "DataCenterInfo of type class com.netflix.appinfo.AmazonInfo must contain a valid id";

fn name_in_amazon(about: &mut About, id: Arc<str>) {
    if let Some(DataCenter::Amazon(metadata)) = &mut about.data_center {
        metadata.insert("instance-id".into(), id);
    }
}
