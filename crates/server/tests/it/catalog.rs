//! The declarations, checked against themselves and against the real schema.

use crate::guild::Guild;
use guildhall::resources;
use guildhall_jsonapi::Record;
use std::collections::BTreeSet;

#[test]
fn the_declarations_have_no_mistakes() {
    assert_eq!(resources::catalog("example.test").mistakes(), [] as [&str; 0]);
}

#[tokio::test]
async fn every_declared_column_exists_and_every_column_is_declared() {
    let guild = Guild::new().await;
    for resource in resources::ALL {
        let spec = resource.spec;
        let real: BTreeSet<String> = guild
            .app
            .db
            .read(move |tx| -> Result<_, guildhall_jsonapi::Error> {
                // Fails when a declared column is not there.
                Record::find(tx, spec, "id", "nobody")?;
                Ok(tx.columns(spec.kind)?.into_iter().collect())
            })
            .await
            .unwrap_or_else(|error| panic!("{}: {error:?}", spec.kind));
        let attributes = spec.all_attributes().chain(spec.inner).filter(|attribute| attribute.is_column());
        let links = spec.relationships.iter().filter(|relationship| !relationship.many);
        let declared: BTreeSet<String> = ["id"]
            .into_iter()
            .chain(attributes.map(|attribute| attribute.name))
            .chain(links.map(|link| link.column))
            // The organization a version tells of decides who sees it, and nothing else.
            .chain((spec.kind == "versions").then_some("organization_id"))
            .map(str::to_owned)
            .collect();
        assert_eq!(real, declared, "{}", spec.kind);
    }
}
