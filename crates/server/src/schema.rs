//! The steps of the schema, in order. A step that has been released never changes.

use guildhall_store::Migration;

/// All steps.
pub const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, title: "first", sql: include_str!("../../../migrations/0001_first.sql") },
    Migration { version: 2, title: "accounts", sql: include_str!("../../../migrations/0002_accounts.sql") },
    Migration {
        version: 3,
        title: "applications",
        sql: include_str!("../../../migrations/0003_applications.sql"),
    },
];
