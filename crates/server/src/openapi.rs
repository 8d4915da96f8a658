//! The API description of this server: made from the declarations, the same for every installation.

use crate::resources;
use guildhall_jsonapi::openapi::{Described, DescribedAction, document};
use serde_json::json;
use std::sync::LazyLock;

static TEXT: LazyLock<String> = LazyLock::new(|| {
    let described: Vec<Described> = resources::ALL
        .iter()
        .map(|resource| Described {
            spec: resource.spec,
            create: resource.create.is_some(),
            update: resource.update.is_some(),
            delete: resource.delete.is_some(),
            actions: resource
                .actions
                .iter()
                .map(|deed| DescribedAction {
                    name: deed.name,
                    method: deed.method,
                    about: deed.about,
                    takes: deed.takes,
                })
                .collect(),
        })
        .collect();
    let info = json!({
        "title": "Guildhall Provisioning API",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "Organizations, members, roles and API credentials. Compatible with the wire format of \
            Commerce Layer's Provisioning API; not affiliated with Commerce Layer.",
        "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
    });
    let description =
        document(&resources::catalog("{domain}"), &info, "https://provisioning.{domain}/api", &described);
    format!("{description:#}\n")
});

/// The description as JSON.
pub fn text() -> &'static str {
    &TEXT
}
