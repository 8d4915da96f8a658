//! The steps of the schema, in order. A step that has been released never changes.

use guildhall_store::Migration;

/// Takes the members that are gone since the last commit from the index of trigrams, and then puts those into it that are new:
/// their numbers are higher than those that are in it. A number that has become free may be given again.
const INDEX_MEMBERS: [&str; 3] = [
    "delete from search_memberships where rowid in (select number from search_gone)",
    "delete from search_gone",
    "insert into search_memberships (rowid, user_email, id, organization_id)
     select n.number, m.user_email_key, m.id, m.organization_id
     from search_numbers n join memberships m on m.id = n.membership_id
     where n.number > coalesce((select max(id) from search_memberships_content), 0) order by n.number",
];

/// All steps.
pub const MIGRATIONS: &[Migration] = &[
    Migration::new(1, "first", include_str!("../../../migrations/0001_first.sql")),
    Migration::new(2, "accounts", include_str!("../../../migrations/0002_accounts.sql")),
    Migration::new(3, "applications", include_str!("../../../migrations/0003_applications.sql")),
    Migration::new(4, "nodes", include_str!("../../../migrations/0004_nodes.sql")),
    Migration::new(5, "references", include_str!("../../../migrations/0005_references.sql")),
    Migration::new(6, "history", include_str!("../../../migrations/0006_history.sql")),
    Migration {
        postgres: Some(include_str!("../../../migrations/0007_search.postgres.sql")),
        ..Migration::new(7, "search", include_str!("../../../migrations/0007_search.sql"))
    },
    Migration::new(8, "letters", include_str!("../../../migrations/0008_letters.sql")),
    Migration::new(9, "owned", include_str!("../../../migrations/0009_owned.sql")),
    Migration {
        postgres: Some(include_str!("../../../migrations/0010_search_together.postgres.sql")),
        before_commit: &INDEX_MEMBERS,
        ..Migration::new(10, "search_together", include_str!("../../../migrations/0010_search_together.sql"))
    },
    Migration::new(11, "milestones", include_str!("../../../migrations/0011_milestones.sql")),
    Migration {
        postgres: Some(include_str!("../../../migrations/0012_search_names.postgres.sql")),
        ..Migration::new(12, "search_names", include_str!("../../../migrations/0012_search_names.sql"))
    },
];
