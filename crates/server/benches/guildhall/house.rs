//! A house of any size: organizations with their owners, roles, credentials and versions, users who are members of
//! several, and one organization that has a sixth of all memberships. The same numbers make the same house.

use guildhall::App;
use guildhall::access::Caller;
use guildhall::resources::{Resource, memberships, organizations, users};
use guildhall::schema::MIGRATIONS;
use guildhall::work::{Author, Work};
use guildhall_jsonapi::{Error, Input, Problem, Verb, size_name};
use guildhall_store::{Sql, Tx, Value};
use serde_json::{Value as Json, json};
use std::sync::Arc;
use std::time::Instant;
use tokio::task::JoinSet;

/// How many rows one unit writes at a server, and how many in a file: there each page that a unit touches is written
/// twice, and rows of many indexes touch nearly all pages.
const BATCH: u64 = 10_000;
const FILE_BATCH: u64 = 250_000;
/// So that a file's pages are touched in memory until the unit ends.
const FILE_CACHE: &str = "pragma cache_size = -4000000";
/// How many rows one statement writes.
const ROWS: u64 = 100;
/// How many units are on their way at once.
const AT_ONCE: usize = 4;
/// How many members the small organization has.
const SMALL: u64 = 10;
/// How many organizations have a member who may become their owner: those that are asked.
const WITH_HEIR: u64 = 2;
/// 2026-01-01 12:00.
const NOON: i64 = 1_767_268_800_000;
/// Members have come in the two years before that.
const SPAN: u64 = 2 * 365 * 86_400_000;

/// How much there is of what.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) organizations: u64,
    pub(crate) users: u64,
    pub(crate) memberships: u64,
}

impl Size {
    /// With this many memberships: a third as many users, a three-hundredth as many organizations but at least thirty.
    pub(crate) fn of(memberships: u64) -> Self {
        Self { organizations: (memberships / 300).max(30), users: memberships / 3, memberships }
    }

    /// How many members each organization has beside its owner: the largest one, the small one, and the others.
    fn members(self) -> Vec<u64> {
        let largest = self.memberships / 6;
        let others = self.organizations - 2;
        let mut left = self.memberships - largest - SMALL - self.organizations - WITH_HEIR;
        let average = left / others;
        let mut members = vec![largest, SMALL];
        for number in 0..others - 1 {
            let some = (average / 2 + mixed(number) % average.max(1)).min(left);
            members.push(some);
            left -= some;
        }
        members.push(left);
        members
    }
}

/// A number that looks like none before it.
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The id of the row with this number of some kind: ten letters.
fn id(kind: u64, number: u64) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut left = mixed(kind << 40 | number);
    let letter = |_| {
        let letter = LETTERS[usize::try_from(left % 52).unwrap_or(0)];
        left /= 52;
        char::from(letter)
    };
    (0..10).map(letter).collect()
}

fn email(user: u64) -> String {
    format!("{}{user}@{}.example", id(7, user % 5000).to_lowercase(), id(8, user % 800).to_lowercase())
}

/// The members of one organization: the numbers of their memberships follow each other, and those of their users.
struct Place {
    organization: String,
    role: String,
    first: u64,
    members: u64,
    /// The number of the first one's user.
    user: u64,
}

/// Fills a database, telling what is in it.
pub(crate) async fn fill(app: &Arc<App>, size: Size) -> Json {
    let began = Instant::now();
    let members = size.members();
    let mut houses = organizations(app, size.organizations).await;
    houses.sort_by_key(|house| house["number"].as_u64());
    many(app, size.users, |first, last| Box::new(move |app: &App| Ok(users_sql(app, first, last)))).await;
    let mut first = 0;
    let mut places = Vec::new();
    for (house, members) in houses.iter().zip(&members) {
        let text = |name: &str| house[name].as_str().unwrap_or_default().to_owned();
        let user = mixed(first) % size.users;
        places.push(Place {
            organization: text("organization"),
            role: text("role"),
            first,
            members: *members,
            user,
        });
        first += members;
    }
    let places = Arc::new(places);
    many(app, first, |from, to| {
        let places = places.clone();
        Box::new(move |_: &App| {
            let within = places.iter().filter(|place| place.first < to && place.first + place.members > from);
            Ok(within.flat_map(|place| memberships_sql(place, size.users, from, to)).collect())
        })
    })
    .await;
    // Last and by itself: units that all write the same numbers would wait for each other.
    let all = u64::try_from(places.len()).unwrap_or(0);
    many(app, all, |from, to| {
        let places = places.clone();
        Box::new(move |_: &App| {
            let some = places.iter().skip(usize::try_from(from).unwrap_or(0));
            Ok(some.take(usize::try_from(to - from).unwrap_or(0)).flat_map(sizes_sql).collect())
        })
    })
    .await;
    app.db.write(milestones).await.expect("they are counted");
    // A member who was changed since, since when the last forty have come, and since when half of them have; a page
    // that four of five come before.
    let sample = |house: usize, first: u64| {
        let (members, at) = (members[house], members[house] / 20 * 10);
        let user = (mixed(first) % size.users + at) % size.users;
        let span = i64::try_from(SPAN / members.max(40) * 40).unwrap_or(0);
        let mut house = houses[house].clone();
        house["membership"] = id(2, first + at).into();
        house["email"] = email(user).into();
        house["since"] = guildhall_jsonapi::timestamp(NOON - span).into();
        house["half"] = guildhall_jsonapi::timestamp(NOON - i64::try_from(SPAN / 2).unwrap_or(0)).into();
        house["far"] = (members / 25 * 4 / 5 + 1).into();
        house
    };
    json!({
        "largest": sample(0, 0), "small": sample(1, members[0]), "loaded": began.elapsed().as_secs_f64(),
        "organizations": houses.len(), "users": size.users, "memberships": size.memberships,
    })
}

/// Organizations and their owners, as the product makes them.
async fn organizations(app: &Arc<App>, count: u64) -> Vec<Json> {
    let mut made = Vec::new();
    let mut running = JoinSet::new();
    for number in 0..count {
        if running.len() >= 16 * AT_ONCE {
            made.extend(running.join_next().await.map(|one| one.expect("it does not fail")));
        }
        running.spawn(organization(app.clone(), number));
    }
    made.extend(running.join_all().await);
    made
}

async fn organization(app: Arc<App>, number: u64) -> Json {
    let user = id(6, number);
    let author = Author::Caller(Caller::newcomer(&user, &app.config));
    let made = Work::run(&app, author, None, move |work| {
        let new = users::New {
            email: format!("owner{number}@example.com"),
            first_name: "Ada".into(),
            last_name: format!("Owner {number}"),
            plan: "enterprise".into(),
        };
        let application = users::register_as(work, &user, &new)?;
        let document = json!({ "data": { "type": "organizations", "attributes": { "name": format!("Brand {number}") } } });
        let organization = create(work, &organizations::ORGANIZATIONS, &document)?;
        let role = |work: &mut Work<'_, '_>, kind: &str| -> Result<String, Error> {
            let sql = "select id from roles where organization_id = ? and kind = ?";
            let rows = work.tx.rows(&Sql::new(sql, [(&organization).into(), kind.into()]))?;
            Ok(rows.first().map_or_else(String::new, |row| row.text(0).to_owned()))
        };
        let (admin, read_only) = (role(work, "admin")?, role(work, "read_only")?);
        Ok(json!({
            "number": number, "organization": organization, "admin": admin, "role": read_only, "user": user, "owner": new.email,
            "client_id": application.client_id, "client_secret": application.client_secret,
        }))
    });
    let mut house: Json = made.await.unwrap_or_else(|error| panic!("{error:?}"));
    if number < WITH_HEIR {
        house["heir"] = heir(app, &house).await;
    }
    house
}

/// A member beside the owner who has an account: whoever an organization can be handed over to.
async fn heir(app: Arc<App>, house: &Json) -> Json {
    let text = |name: &str| house[name].as_str().unwrap_or_default().to_owned();
    let (user, unit_app) = (text("user"), app.clone());
    let owner = app.db.read(move |tx| Caller::signed_in(tx, &user, &unit_app.config)).await;
    let author = Author::Caller(owner.expect("the file is read").expect("the owner is there"));
    let email = format!("heir{}@example.com", house["number"]);
    let link = |kind: &str, id: String| json!({ "data": { "type": kind, "id": id } });
    let links = json!({ "organization": link("organizations", text("organization")), "role": link("roles", text("role")) });
    let made = Work::run(&app, author, None, move |work| {
        let new = users::New {
            email: email.clone(),
            first_name: "Grace".into(),
            last_name: "Heir".into(),
            plan: "enterprise".into(),
        };
        let application = users::register(work, &new)?;
        let document = json!({ "data": { "type": "memberships", "attributes": { "user_email": email }, "relationships": links } });
        create(work, &memberships::MEMBERSHIPS, &document)?;
        Ok(
            json!({ "email": email, "client_id": application.client_id, "client_secret": application.client_secret }),
        )
    });
    made.await.unwrap_or_else(|error| panic!("{error:?}"))
}

/// Makes a record as its kind is made; answers its id.
fn create(work: &mut Work<'_, '_>, resource: &Resource, document: &Json) -> Result<String, Error> {
    let mut input = Input::read(resource.spec, Verb::Create, None, document.to_string().as_bytes())?;
    resource.create.map_or_else(|| Err(Problem::not_found().into()), |create| create(work, &mut input))
}

type Make = Box<dyn Fn(&App) -> guildhall_store::Result<Vec<Sql>> + Send>;

/// Writes many rows, a unit for so many of them at once.
async fn many(app: &Arc<App>, count: u64, unit: impl Fn(u64, u64) -> Make) {
    let mut running = JoinSet::new();
    let mut first = 0;
    let (batch, at_once) = if app.db.is_server() { (BATCH, AT_ONCE) } else { (FILE_BATCH, 1) };
    while first < count {
        if running.len() >= at_once {
            running.join_next().await.expect("one is running").expect("it is written");
        }
        let last = (first + batch).min(count);
        let (make, app) = (unit(first, last), app.clone());
        running.spawn(async move {
            let all = make(&app).expect("it is made");
            let is_file = !app.db.is_server();
            let run = move |tx: &mut Tx<'_>| -> guildhall_store::Result<()> {
                tx.take_time()?;
                if is_file {
                    tx.rows(&Sql::text(FILE_CACHE))?;
                }
                for sql in &all {
                    tx.execute(sql)?;
                }
                Ok(())
            };
            app.db.write(run).await.expect("it is written");
        });
        first = last;
    }
    running.join_all().await;
}

/// Statements that insert rows, so many at once.
fn inserts(into: &str, columns: &str, rows: impl Iterator<Item = Vec<Value>>) -> Vec<Sql> {
    let mut all: Vec<Sql> = Vec::new();
    for (index, row) in (0_u64..).zip(rows) {
        if index % ROWS == 0 {
            all.push(Sql::text(&format!("insert into {into} ({columns}) values (")));
        } else if let Some(sql) = all.last_mut() {
            sql.push(", (");
        }
        if let Some(sql) = all.last_mut() {
            sql.bind_all(row).push(")");
        }
    }
    all
}

fn users_sql(app: &App, first: u64, last: u64) -> Vec<Sql> {
    let user = |number: u64| {
        let email = email(number);
        vec![
            id(1, number).into(),
            (&email).into(),
            (&email).into(),
            (&email).into(),
            (&email).into(),
            "Grace".into(),
            format!("Hopper {number}").into(),
            "enterprise".into(),
            NOON.into(),
            NOON.into(),
        ]
    };
    let columns = "id, email, email_key, proved_email, proved_email_key, first_name, last_name, plan, created_at, updated_at";
    let mut all = inserts("users", columns, (first..last).map(user));
    let application = |number: u64| {
        vec![
            id(3, number).into(),
            id(1, number).into(),
            app.chance.secret().into(),
            app.chance.secret().into(),
            NOON.into(),
        ]
    };
    let columns = "id, user_id, client_id, secret_hash, created_at";
    all.extend(inserts("user_applications", columns, (first..last).map(application)));
    all
}

/// Whether a membership waits for its yes, by its number.
fn is_pending(number: u64) -> bool {
    number % 10 == 9
}

/// Counts all members anew by when they were made, as the step of the schema does that made the table.
pub(crate) fn milestones(tx: &mut Tx<'_>) -> guildhall_store::Result<()> {
    tx.take_time()?;
    tx.execute(&Sql::text("delete from milestones"))?;
    let step = MIGRATIONS.iter().find(|step| step.title == "milestones").expect("there is such a step");
    let (_, rest) = step.sql.split_once("insert into").expect("it counts");
    tx.execute(&Sql::text(&format!("insert into{}", rest.trim_end().trim_end_matches(';')))).map(drop)
}

/// Whether a membership was changed since, by its place in its organization.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "it is what a filter takes")]
fn is_changed(at: &u64) -> bool {
    at.is_multiple_of(10)
}

/// How much there is of what in an organization.
fn sizes_sql(place: &Place) -> Vec<Sql> {
    let Place { organization, role, first, members, .. } = place;
    let pending = (0..*members).filter(|at| is_pending(first + at)).count() as u64;
    let changed = (0..*members).filter(is_changed).count() as u64;
    let of_status = |status: &str| size_name("memberships", "status", status);
    [
        ("memberships".to_owned(), *members),
        (of_status("pending"), pending),
        (of_status("active"), members - pending),
        (size_name("memberships", "role", role), *members),
        ("versions".to_owned(), changed),
    ]
    .into_iter()
    .map(|(kind, by)| {
        Sql::new(
            "insert into sizes (kind, owner, size) values (?, ?, ?)
             on conflict (kind, owner) do update set size = sizes.size + excluded.size",
            [kind.into(), organization.into(), i64::try_from(by).unwrap_or(0).into()],
        )
    })
    .collect()
}

/// Those of an organization's memberships whose numbers are within a range.
fn memberships_sql(place: &Place, users: u64, from: u64, to: u64) -> Vec<Sql> {
    let Place { organization, role, first, members, user } = place;
    let row = |at: u64| (first + at, (user + at) % users);
    let range = from.max(*first) - first..to.min(first + members) - first;
    let moment = |number: u64| NOON - i64::try_from(mixed(number) % SPAN).unwrap_or(0);
    let membership = |at: u64| {
        let (number, user) = row(at);
        let (email, moment) = (email(user), moment(number));
        let reference = (number % 20 == 0).then(|| format!("crm-{number}"));
        let user = if is_pending(number) { Value::Null } else { id(1, user).into() };
        let status = if is_pending(number) { "pending" } else { "active" };
        vec![
            id(2, number).into(),
            organization.into(),
            role.into(),
            user,
            (&email).into(),
            (&email).into(),
            "Grace".into(),
            "Hopper".into(),
            status.into(),
            false.into(),
            "live_access".into(),
            reference.into(),
            moment.into(),
            moment.into(),
        ]
    };
    let columns =
        "id, organization_id, role_id, user_id, user_email, user_email_key, user_first_name, user_last_name,
        status, owner, access_scope, reference, created_at, updated_at";
    let mut all = inserts("memberships", columns, range.clone().map(membership));
    // Each was created, and one in ten was changed since.
    let history = |at: u64, event: &'static str, kind: u64| {
        let (number, _) = row(at);
        let changes = json!({ "status": [null, "pending"], "role_id": [null, role], "access_scope": [null, "live_access"] });
        vec![
            id(kind, number).into(),
            organization.into(),
            "memberships".into(),
            id(2, number).into(),
            event.into(),
            changes.to_string().into(),
            "{}".into(),
            "api".into(),
            (event == "update").into(),
            moment(number).into(),
        ]
    };
    let columns =
        "id, organization_id, resource_type, resource_id, event, changes, who, origin, published, created_at";
    all.extend(inserts("history", columns, range.clone().map(|at| history(at, "create", 4))));
    all.extend(inserts("history", columns, range.filter(is_changed).map(|at| history(at, "update", 5))));
    all
}
