//! Each step of the schema, with data in it from before.

use crate::guild::{DAY, NOON};
use guildhall::App;
use guildhall::chance::Chance;
use guildhall::clock::Clock;
use guildhall::config::Config;
use guildhall::crypto::{Vault, hash};
use guildhall::invitations::{self, State};
use guildhall::work::Work;
use guildhall_store::throw_away::ThrowAway;
use guildhall_store::{Db, Error, Sql};

const TOKEN: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A database as it was after so many steps, with some rows in it.
async fn at_step(database: &ThrowAway, steps: usize, rows: &'static [&'static str]) -> Db {
    let before = database.options().open(&guildhall::schema::MIGRATIONS[..steps]).unwrap();
    let inserted = before.write(|tx| -> Result<(), Error> {
        rows.iter().try_for_each(|sql| tx.execute(&Sql::text(sql)).map(drop))
    });
    inserted.await.unwrap();
    before
}

#[tokio::test]
async fn an_invitation_of_before_accounts_still_works() {
    let folder = tempfile::tempdir().unwrap();
    let database = ThrowAway::new(folder.path());
    let before = at_step(
        &database,
        1,
        &[
                "insert into plans (name, enterprise) values ('enterprise', true)",
                "insert into users (id, email, email_key, first_name, last_name, plan, created_at, updated_at)
                 values ('ada', 'ada@example.com', 'ada@example.com', 'Ada', 'L', 'enterprise', 1, 1)",
                "insert into organizations (id, name, slug, created_at, updated_at) values ('blue', 'Blue', 'blue', 1, 1)",
                "insert into roles (id, organization_id, name, kind, created_at, updated_at)
                 values ('role', 'blue', 'Admin', 'admin', 1, 1)",
                "insert into memberships (id, organization_id, role_id, user_email, user_email_key, status, created_at, updated_at)
                 values ('place', 'blue', 'role', 'Grace@example.com', 'grace@example.com', 'pending', 1, 1)",
        ],
    )
    .await;
    before
        .write(|tx| -> Result<(), Error> {
            let sql = "insert into invitations (membership_id, token_hash, created_at, expires_at) values ('place', ?, 1, ?)";
            tx.execute(&Sql::new(sql, [hash(TOKEN).into(), (NOON + DAY).into()]))?;
            Ok(())
        })
        .await
        .unwrap();
    drop(before);
    let config = Config::try_out(folder.path()).unwrap();
    let vault = Vault::new(&[7; 32]).unwrap();
    let app =
        App::with(config, database.options(), vault, Clock::new(|| NOON), Chance::counting()).await.unwrap();
    let found = Work::look(&app, |work| invitations::find(work, TOKEN)).await.unwrap().unwrap();
    assert_eq!(
        (found.state, found.email.as_str(), found.name.as_str()),
        (State::Open, "Grace@example.com", "Blue")
    );
}

#[tokio::test]
async fn members_of_before_are_found_by_parts_of_their_address_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let database = ThrowAway::new(folder.path());
    let before = at_step(
        &database,
        6,
        &[
                "insert into organizations (id, name, slug, created_at, updated_at) values ('blue', 'Blue', 'blue', 1, 1)",
                "insert into roles (id, organization_id, name, kind, created_at, updated_at)
                 values ('role', 'blue', 'Admin', 'admin', 1, 1)",
                "insert into memberships (id, organization_id, role_id, user_email, user_email_key, status, created_at, updated_at)
                 values ('one', 'blue', 'role', 'Grace@example.com', 'grace@example.com', 'pending', 1, 1),
                 ('two', 'blue', 'role', 'Mary@example.com', 'mary@example.com', 'active', 1, 1)",
                "insert into plans (name, enterprise) values ('free', false)",
                "insert into users (id, email, email_key, plan, created_at, updated_at)
                 values ('mary', 'Mary@example.com', 'mary@example.com', 'free', 1, 1)",
                "update memberships set user_id = 'mary', owner = true where id = 'two'",
        ],
    )
    .await;
    drop(before);
    let after = database.options().open(guildhall::schema::MIGRATIONS).unwrap();
    let found = after
        .read(|tx| -> Result<_, Error> {
            let found =
                tx.rows(&Sql::text("select id from search_memberships where user_email like '%race@%'"))?;
            let found: Vec<String> = found.iter().map(|row| row.text(0).to_owned()).collect();
            let sizes = tx.rows(&Sql::text(
                "select kind, size from sizes where owner in ('blue', 'mary') order by kind",
            ))?;
            let sizes: Vec<(String, i64)> =
                sizes.iter().map(|row| (row.text(0).to_owned(), row.int(1))).collect();
            Ok((found, sizes))
        })
        .await
        .unwrap();
    assert_eq!(found.0, ["one"]);
    assert_eq!(
        found.1,
        [
            ("memberships.role.role".to_owned(), 2),
            ("memberships.status.active".to_owned(), 1),
            ("memberships.status.pending".to_owned(), 1),
            ("organizations".to_owned(), 1),
        ]
    );
}

/// The last step of before the first release: those after it have to get on with programs of the release before them,
/// which go on while nodes are replaced one after the other.
const BEFORE_RELEASES: u32 = 11;

/// What a step does that a program of the release before might stumble over, in its own words.
fn takes_away(sql: &str) -> Option<String> {
    let code: Vec<&str> = sql.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
    let text = code.join(" ").to_lowercase();
    text.split(';').map(str::trim).find_map(|statement| {
        let words: Vec<&str> = statement.split_whitespace().collect();
        let has = |word: &str| words.iter().skip(1).any(|other| *other == word);
        let alters = words.starts_with(&["alter", "table"]);
        let takes = words.first() == Some(&"drop")
            || (alters && (has("drop") || has("rename") || has("alter") || has("constraint")))
            || (alters && has("add") && has("not") && !has("default"))
            // Programs of before write what it forbids, and do not keep a count they do not know.
            || words.starts_with(&["create", "unique", "index"])
            || words.starts_with(&["insert", "into", "sizes"])
            || words.starts_with(&["insert", "into", "milestones"]);
        takes.then(|| statement.to_owned())
    })
}

#[test]
fn a_step_only_adds_unless_it_says_which_release_has_stopped_using_what_it_takes() {
    for step in guildhall::schema::MIGRATIONS.iter().filter(|step| step.version > BEFORE_RELEASES) {
        for sql in std::iter::once(step.sql).chain(step.postgres) {
            let says = sql.lines().any(|line| line.starts_with("-- Not used since "));
            let taken = takes_away(sql).filter(|_| !says);
            assert_eq!(taken, None, "step {}: see Upgrades in docs/operating.md", step.version);
        }
    }
}

#[test]
fn what_takes_away_is_told_from_what_adds() {
    for (sql, takes) in [
        ("alter table a add column b text;", false),
        ("alter table a add column b text not null default '';", false),
        ("create table a (b text not null); create index c on a (b);", false),
        ("-- drop table a\nupdate a set b = 'drop';", false),
        ("alter table a add column b text not null;", true),
        ("alter table a drop column b;", true),
        ("alter table a rename column b to c;", true),
        ("alter table a alter column b type bigint;", true),
        ("alter table a add constraint b check (c > 0);", true),
        ("create table c (d text);\ndrop table a;", true),
        ("drop index a;", true),
        ("create unique index a on b (c);", true),
        ("insert into sizes (kind, owner, size) select 'a', b, count(*) from a group by b;", true),
    ] {
        assert_eq!(takes_away(sql).is_some(), takes, "{sql}");
    }
}
