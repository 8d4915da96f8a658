//! What changed, when and by whom: the part of history that the API shows. Nobody writes it.

use super::{Resource, Versions};
use guildhall_jsonapi::spec::{PLAIN, object, one_of, text};
use guildhall_jsonapi::{Scope, Spec};

static SPEC: Spec = Spec {
    kind: "versions",
    singular: "version",
    about: "One change of a membership, a permission or a role, kept for a year.",
    sized_by: Some("organization_id"),
    attributes: &[
        text("resource_type").derived().filter().doc("The type of what changed.").example("\"roles\""),
        text("resource_id").derived().filter().doc("The id of what changed.").example("\"PzdJhdLdYV\""),
        one_of("event", &["create", "update", "destroy"])
            .derived()
            .doc("What happened to it.")
            .example("\"update\""),
        object("changes")
            .derived()
            .doc("What was before and after, by name.")
            .example("{\"name\": [\"previous\", \"new\"]}"),
        object("who")
            .derived()
            .doc("The application and the user behind the token; empty when the service did it.")
            .example("{\"application\": {\"id\": \"DNOPYiZYpn\", \"kind\": \"user\", \"public\": false}}"),
    ],
    ..PLAIN
};

/// See the file.
pub static VERSIONS: Resource = Resource {
    spec: &SPEC,
    versions: Versions::None,
    sees: |caller| Scope::within("organization_id", caller.administered()),
    create: None,
    update: None,
    delete: None,
    actions: &[],
};
