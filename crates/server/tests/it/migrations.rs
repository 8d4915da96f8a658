//! Each step of the schema, with data in it from before.

use crate::guild::{DAY, NOON};
use guildhall::App;
use guildhall::chance::Chance;
use guildhall::clock::Clock;
use guildhall::config::Config;
use guildhall::crypto::{Vault, hash};
use guildhall::invitations::{self, State};
use guildhall::work::Work;
use guildhall_store::{Error, Options, Sql};

const TOKEN: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[tokio::test]
async fn an_invitation_of_before_accounts_still_works() {
    let folder = tempfile::tempdir().unwrap();
    let options = || Options { file: folder.path().join("guildhall.db"), readers: 1, durable: false };
    let before = options().open(&guildhall::schema::MIGRATIONS[..1]).unwrap();
    before
        .write(|tx| -> Result<(), Error> {
            for sql in [
                "insert into plans (name, enterprise) values ('enterprise', true)",
                "insert into users (id, email, email_key, first_name, last_name, plan, created_at, updated_at)
                 values ('ada', 'ada@example.com', 'ada@example.com', 'Ada', 'L', 'enterprise', 1, 1)",
                "insert into organizations (id, name, slug, created_at, updated_at) values ('blue', 'Blue', 'blue', 1, 1)",
                "insert into roles (id, organization_id, name, kind, created_at, updated_at)
                 values ('role', 'blue', 'Admin', 'admin', 1, 1)",
                "insert into memberships (id, organization_id, role_id, user_email, user_email_key, status, created_at, updated_at)
                 values ('place', 'blue', 'role', 'Grace@example.com', 'grace@example.com', 'pending', 1, 1)",
            ] {
                tx.execute(&Sql::text(sql))?;
            }
            let sql = "insert into invitations (membership_id, token_hash, created_at, expires_at) values ('place', ?, 1, ?)";
            tx.execute(&Sql::new(sql, [hash(TOKEN).into(), (NOON + DAY).into()]))?;
            Ok(())
        })
        .await
        .unwrap();
    drop(before);
    let config = Config::try_out(folder.path()).unwrap();
    let vault = Vault::new(&[7; 32]).unwrap();
    let app = App::with(config, options(), vault, Clock::new(|| NOON), Chance::counting()).await.unwrap();
    let found = Work::look(&app, |work| invitations::find(work, TOKEN)).await.unwrap().unwrap();
    assert_eq!(
        (found.state, found.email.as_str(), found.name.as_str()),
        (State::Open, "Grace@example.com", "Blue")
    );
}
