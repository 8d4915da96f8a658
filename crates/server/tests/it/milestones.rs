//! Members by when they were made, against a plain model: ranges of moments are counted by parts and pages far behind begin
//! within one, and the answers are those of somebody who reads every row.

use crate::guild::{Guild, NOON, Organization};
use guildhall::resources::memberships::MEMBERSHIPS;
use guildhall::schema::MIGRATIONS;
use guildhall_jsonapi::{Record, timestamp};
use guildhall_store::Sql;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeSet;

/// How often members come, and how many of them at once: enough for some parts.
const TIMES: usize = 64;
const AT_ONCE: usize = 60;

/// Parts that have another size than they should.
const ODD: &str = "select count(*) from milestones a where a.size <>
    (select count(*) from memberships m where m.organization_id = a.owner and m.created_at >= a.since and not exists
     (select 1 from milestones b where b.owner = a.owner and b.since > a.since and b.since <= m.created_at))";

/// Members who come in one unit, and one who leaves in it.
async fn come(guild: &Guild, organization: &Organization<'_>, time: usize) {
    let (organization, role) = (organization.id.clone(), organization.read_only.clone());
    let unit = guild.operate(move |work| {
        for number in 0..AT_ONCE {
            let email = format!("m{time}x{number}@example.com");
            let columns = [
                ("organization_id", json!(organization)),
                ("role_id", json!(role)),
                ("user_email", json!(email)),
                ("user_email_key", json!(email)),
                ("status", json!("pending")),
                ("owner", json!(false)),
            ];
            let columns: Map<String, Json> =
                columns.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            work.insert(MEMBERSHIPS.spec, columns)?;
        }
        let gone = format!("m{}x{}@example.com", time / 2, time % AT_ONCE);
        for record in Record::find(work.tx, MEMBERSHIPS.spec, "user_email_key", &gone)? {
            work.delete(&record)?;
        }
        Ok(())
    });
    unit.await.unwrap();
}

/// Everybody there is in some organizations, as moment and id, in their order.
async fn members(guild: &Guild, organizations: &[&str]) -> Vec<(i64, String)> {
    let mut sql = Sql::text("select created_at, id from memberships where organization_id in (");
    sql.bind_list(organizations.iter().copied()).push(") order by created_at, id");
    let read = guild.app.db.read(move |tx| {
        let rows = tx.rows(&sql)?;
        Ok::<_, guildhall_store::Error>(rows.iter().map(|row| (row.int(0), row.text(1).to_owned())).collect())
    });
    read.await.unwrap()
}

#[tokio::test]
async fn ranges_and_far_pages_are_what_every_row_says() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    for time in 0..TIMES {
        // Some come in one moment, and some after a clock was put back.
        guild.pass([7, 0, 1, 40, -20, 3][time % 6]);
        come(&guild, &blue, time).await;
    }
    let parts = "select count(*) from milestones where kind = 'memberships' and size > 500";
    assert!(guild.number(parts).await >= 3);
    assert_eq!(guild.number(ODD).await, 0);

    let all = members(&guild, &[&blue.id]).await;
    let pages = all.len().div_ceil(25);
    let backwards = {
        let mut all = all.clone();
        all.sort_by(|(one, a), (other, b)| (other, a).cmp(&(one, b)));
        all
    };
    for (sort, all) in [("", &all), ("&sort=created_at", &all), ("&sort=-created_at", &backwards)] {
        for page in [1, 2, 80, 81, 82, 120, 121, pages - 1, pages, pages + 1] {
            let listed = ada.get(&format!("/api/memberships?page[size]=25&page[number]={page}{sort}")).await;
            let wanted: Vec<String> =
                all.iter().skip((page - 1) * 25).take(25).map(|(_, id)| id.clone()).collect();
            assert_eq!(listed.ids(), wanted, "page {page}{sort}");
            assert_eq!(listed.json()["meta"]["record_count"], json!(all.len()));
        }
    }
    ranges(&guild, &all, async |path| ada.get(path).await.json()["meta"]["record_count"].take()).await;

    // The step of the schema parts those who were there before.
    let parted = guild.operate(|work| {
        let step = MIGRATIONS.iter().find(|step| step.title == "milestones").unwrap();
        let (_, fill) = step.sql.split_once("insert into").unwrap();
        work.tx.execute(&Sql::text("delete from milestones"))?;
        Ok(work.tx.execute(&Sql::text(&format!("insert into{}", fill.trim_end().trim_end_matches(';'))))?)
    });
    assert_eq!(parted.await.unwrap(), all.len().div_ceil(1000));
    assert_eq!(guild.number(ODD).await, 0);
    ranges(&guild, &all, async |path| ada.get(path).await.json()["meta"]["record_count"].take()).await;

    // Those of two organizations are counted together, and each has its pages.
    guild.pass(5);
    let red = ada.creates_organization("Red").await;
    come(&guild, &red, 0).await;
    for (path, organizations) in [
        ("/api/memberships".to_owned(), &[blue.id.as_str(), &red.id][..]),
        (format!("/api/organizations/{}/memberships", blue.id), &[&blue.id]),
    ] {
        let all = members(&guild, organizations).await;
        for page in [1, 82, all.len() / 25] {
            let listed = ada.get(&format!("{path}?page[size]=25&page[number]={page}")).await;
            let wanted: Vec<String> =
                all.iter().skip((page - 1) * 25).take(25).map(|(_, id)| id.clone()).collect();
            assert_eq!(listed.ids(), wanted, "{path} {page}");
        }
    }
    let all = members(&guild, &[&blue.id, &red.id]).await;
    ranges(&guild, &all, async |path| ada.get(path).await.json()["meta"]["record_count"].take()).await;

    // Who administers nothing counts themselves.
    let grace = guild.user("grace").await;
    blue.invites("grace@example.com", &blue.read_only).await;
    for (bound, count) in [(0, 1), (NOON + 1_000_000, 0)] {
        let path = format!("/api/memberships?filter[q][created_at_gt]={}", timestamp(bound));
        assert_eq!(grace.get(&path).await.json()["meta"]["record_count"], json!(count));
    }
}

/// Whether a moment is within the range that a matcher begins or ends with a bound.
fn holds(matcher: &str, at: i64, bound: i64) -> bool {
    match matcher {
        "gt" => at > bound,
        "gteq" => at >= bound,
        "lt" => at < bound,
        "lteq" => at <= bound,
        _ => unreachable!("there is no other"),
    }
}

/// Asks for ranges that begin and end before, at and behind moments at which somebody was made.
async fn ranges(guild: &Guild, all: &[(i64, String)], count: impl AsyncFn(&str) -> Json) {
    let milestones = guild.app.db.read(|tx| {
        let rows = tx.rows(&Sql::text("select since from milestones where since > 0"))?;
        Ok::<_, guildhall_store::Error>(rows.iter().map(|row| row.int(0)).collect::<Vec<_>>())
    });
    let some = all.iter().step_by(all.len() / 5).chain(all.last()).map(|(at, _)| *at);
    let bounds: BTreeSet<i64> =
        some.chain(milestones.await.unwrap()).flat_map(|at| [at - 1, at, at + 1]).collect();
    let wanted = |is_in: &dyn Fn(i64) -> bool| json!(all.iter().filter(|(at, _)| is_in(*at)).count());
    for bound in &bounds {
        for name in ["gt", "gteq", "lt", "lteq"] {
            let path = format!("/api/memberships?filter[q][created_at_{name}]={}", timestamp(*bound));
            assert_eq!(count(&path).await, wanted(&|at| holds(name, at, *bound)), "{path}");
        }
    }
    for (from, until) in bounds.iter().zip(bounds.iter().skip(4)).chain(bounds.iter().skip(3).zip(&bounds)) {
        let path = format!(
            "/api/memberships?filter[q][created_at_gteq]={}&filter[q][created_at_lt]={}",
            timestamp(*from),
            timestamp(*until)
        );
        assert_eq!(count(&path).await, wanted(&|at| at >= *from && at < *until), "{path}");
    }
}
