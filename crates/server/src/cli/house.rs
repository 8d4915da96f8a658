//! `guildhall copy`, `guildhall backup` and `guildhall restore`.

use super::print;
use crate::app::KEY;
use crate::chance::Chance;
use crate::config::{Config, DATABASE, read_database};
use crate::crypto::{Vault, write_private};
use crate::moving::{self, Moved, Progress};
use crate::schema::MIGRATIONS;
use crate::{app, keys, sealing, server, sharing};
use anyhow::{Context, Result, ensure};
use clap::Args;
use guildhall_store::{Db, Error, Options, Sql, Tx};
use serde_json::json;
use std::cell::Cell;
use std::fs;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
pub(super) struct Copy {
    /// The database that is copied, which may be in use
    #[arg(long, env = "GUILDHALL_COPY_FROM", value_name = "URL", hide_env_values = true)]
    from: String,
    /// The database that becomes the same; whatever else is in it is deleted
    #[arg(long, env = "GUILDHALL_COPY_TO", value_name = "URL", hide_env_values = true)]
    to: String,
    /// Let it take the place of another house, or of one that was lived in since
    #[arg(long)]
    replace: bool,
}

#[derive(Args, Debug)]
pub(super) struct Backup {
    /// The folder that is made, with the database as a file and the key of its secrets
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

#[derive(Args, Debug)]
pub(super) struct Restore {
    /// The folder that a backup made
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Let the backup take the place of what is in the database now
    #[arg(long)]
    replace: bool,
}

/// Makes one database the same as another one.
pub(super) async fn copy(words: Copy, as_json: bool) -> Result<()> {
    let from = existing("--from", &read_database(&words.from, 1, 1, false)?)?;
    let to = read_database(&words.to, 1, 1, false)?.open(MIGRATIONS)?;
    ensure!(!are_one(&from, &to).await?, "--from and --to are the same database");
    if !words.replace {
        check_house(&from, &to).await?;
    }
    let moved = moving::copy(&from, &to, bar()).await?;
    let last = if moved.settled {
        "the last one found both the same. The key of the secrets stays what it is: take secret.key along."
    } else {
        "people went on meanwhile: the second is the first as it was when the last one began. Stop the servers and run this again."
    };
    told(&moved, as_json, last)?;
    ensure!(moved.settled, "the databases are not the same yet");
    Ok(())
}

/// A database that is there already and of this program's version: it is looked at, and nothing else.
fn existing(name: &str, options: &Options) -> Result<Db> {
    let known = MIGRATIONS.iter().map(|step| step.version).max();
    let found = options.version()?.with_context(|| format!("there is no house in the database of {name}"))?;
    ensure!(
        Some(found) == known,
        "the database of {name} is at version {found} and this program's is {}: use the program of that version",
        known.unwrap_or(0)
    );
    Ok(options.open(MIGRATIONS)?)
}

/// Whether two ways lead to one database: what is written by the one is read by the other.
async fn are_one(from: &Db, to: &Db) -> Result<bool> {
    let name = format!("copy {}", Chance::system().secret());
    let written = name.clone();
    to.write(move |tx| sharing::lease(tx, &written, 0, 1)).await?;
    let sought = name.clone();
    let sql = "select 1 from leases where name = ?";
    let found = from.read(move |tx| Ok::<_, Error>(!tx.rows(&Sql::new(sql, [sought.into()]))?.is_empty()));
    let found = found.await?;
    let sql = Sql::new("delete from leases where name = ?", [name.into()]);
    to.write(move |tx| tx.execute(&sql)).await?;
    Ok(found)
}

/// Refuses to lose a house that is another one, or that was lived in since it was copied.
async fn check_house(from: &Db, to: &Db) -> Result<()> {
    let look = |tx: &mut Tx<'_>| {
        let keys = tx.rows(&Sql::text("select kid from signing_keys order by kid"))?;
        let keys: Vec<String> = keys.iter().map(|row| row.text(0).to_owned()).collect();
        let last = tx.rows(&Sql::text("select max(created_at) from history"))?;
        let users = tx.rows(&Sql::text("select 1 from users limit 1"))?;
        Ok::<_, Error>((keys, last.first().map_or(0, |row| row.int(0)), !users.is_empty()))
    };
    let (ours, theirs) = (from.read(look).await?, to.read(look).await?);
    ensure!(
        ours.2 || !theirs.2,
        "there is nobody in the database of --from: say --replace to lose those in that of --to"
    );
    let is_same = ours.0.iter().any(|key| theirs.0.contains(key));
    ensure!(!theirs.2 || is_same, "there is another house in the database of --to: say --replace to lose it");
    ensure!(
        !theirs.2 || theirs.1 <= ours.1,
        "the house in the database of --to was lived in since it was copied: say --replace to lose that"
    );
    Ok(())
}

/// Makes a backup, and calls it one only after it was opened and checked.
pub(super) async fn backup(config: Config, words: Backup, as_json: bool) -> Result<()> {
    let folder = &words.folder;
    ensure!(!folder.exists(), "{} is already there: name a new folder", folder.display());
    let name = folder.file_name().and_then(|name| name.to_str()).context("name a folder for the backup")?;
    let partial = folder.with_file_name(format!("{name}.partial"));
    if partial.exists() {
        fs::remove_dir_all(&partial).with_context(|| format!("{} is in the way", partial.display()))?;
    }
    app::make_folder(&partial)?;
    let key = config.key_file();
    ensure!(key.is_file(), "{} is not there: say with --data where the data folder is", key.display());
    let from = existing("--database", &config.options()?)?;
    let file = format!("sqlite:{}", partial.join(DATABASE).display());
    let open = || -> Result<Db> { Ok(read_database(&file, 1, 1, false)?.open(MIGRATIONS)?) };
    let to = open()?;
    let moved = moving::snapshot(&from, &to, bar()).await?;
    // One file without another one beside it; then as somebody finds it who needs it.
    to.close();
    // The key last: one that is new since is in it beside that of before, so that it opens what was sealed with either.
    write_private(&partial.join(KEY), &fs::read(&key)?)?;
    let made = open()?;
    check(&partial, &made, moved.rows).await?;
    made.close();
    fs::rename(&partial, folder)?;
    fs::File::open(
        folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")),
    )?
    .sync_all()?;
    told(
        &moved,
        as_json,
        &format!("{} was opened and checked, and is the same row for row.", folder.display()),
    )
}

/// Puts a backup into a database.
pub(super) async fn restore(config: Config, words: Restore, as_json: bool) -> Result<()> {
    let folder = &words.folder;
    let file = folder.join(DATABASE);
    ensure!(
        file.is_file() && folder.join(KEY).is_file(),
        "{} is no backup: it has no {DATABASE} or no {KEY}",
        folder.display()
    );
    let from = existing("the backup", &read_database(&format!("sqlite:{}", file.display()), 1, 1, false)?)?;
    let rows = from.read(count).await?;
    check(folder, &from, rows).await?;
    app::make_folder(&config.data)?;
    let alone = server::claim(&config)?;
    let (kept, own) = (fs::read(folder.join(KEY))?, config.key_file());
    let is_other = own.exists() && fs::read(&own)? != kept;
    ensure!(
        !is_other || words.replace,
        "{} is another key than that of the backup: name an empty folder with --data, or say --replace",
        own.display()
    );
    let to = config.options()?.open(MIGRATIONS)?;
    let users =
        |tx: &mut Tx<'_>| Ok::<_, Error>(tx.rows(&Sql::text("select 1 from users limit 1"))?.is_empty());
    ensure!(
        to.read(users).await? || words.replace,
        "there are users in the database: say --replace to lose them"
    );
    let moved = moving::copy(&from, &to, bar()).await?;
    ensure!(moved.settled, "somebody goes on writing to the database: stop the servers and run this again");
    // The key last: until everything else is in, the one that is there opens what is there. It stays in its place until the
    // other one takes that, and whose it is that is, too.
    if is_other {
        write_private(&aside(&own), &fs::read(&own)?)?;
    }
    if is_other || !own.exists() {
        write_private(&own, &kept)?;
    }
    drop(alone);
    told(
        &moved,
        as_json,
        &format!("the last one found both the same. {} is in the database.", folder.display()),
    )
}

/// Where a key that another one takes the place of is kept: beside it, where none is yet.
fn aside(key: &Path) -> PathBuf {
    let names = std::iter::once("before-restore".to_owned())
        .chain((2_u32..).map(|number| format!("before-restore-{number}")));
    let mut files = names.map(|name| key.with_added_extension(name));
    files.find(|file| !file.exists()).unwrap_or_else(|| key.with_added_extension("before-restore"))
}

/// Opens a backup as a server would: every page is sound, every row is there, and the key opens what is sealed.
async fn check(folder: &Path, db: &Db, rows: u64) -> Result<()> {
    db.check().await?;
    let found = db.read(count).await?;
    ensure!(found == rows, "the backup has {found} rows instead of {rows}");
    let vault = Vault::open(&folder.join(KEY), &Chance::system())?;
    let opened = async {
        keys::check(db, &vault).await?;
        sealing::check(db, &vault).await
    };
    opened.await.context("the backup's key does not open its secrets")
}

fn count(tx: &mut Tx<'_>) -> Result<u64, Error> {
    tx.take_time()?;
    let mut total = 0;
    for table in tx.tables()? {
        let counted = tx.rows(&Sql::text(&format!("select count(*) from {}", table.name)))?;
        total += counted.first().map_or(0, |row| u64::try_from(row.int(0)).unwrap_or(0));
    }
    Ok(total)
}

/// A bar that tells how far it is, where somebody is looking.
fn bar() -> impl Fn(Progress) {
    let (shown, looking) = (Cell::new(u64::MAX), std::io::stderr().is_terminal());
    move |progress| {
        let Progress { pass, done, total } = progress;
        let percent = (done * 100).checked_div(total).unwrap_or(100).min(100);
        if looking && shown.replace(percent) != percent {
            let filled = "#".repeat(usize::try_from(percent / 4).unwrap_or(0));
            let end = if percent == 100 { "\n" } else { "" };
            let line = format!("\rpass {pass} [{filled:<25}] {percent:>3} % {done} of {total} rows {end}");
            drop(std::io::stderr().write_all(line.as_bytes()));
        }
    }
}

fn told(moved: &Moved, as_json: bool, last: &str) -> Result<()> {
    let Moved { rows, written, deleted, passes, settled } = moved;
    if as_json {
        let told = json!({
            "rows": rows, "written": written, "deleted": deleted, "passes": passes, "settled": settled,
        });
        return print(&told.to_string());
    }
    print(&format!("{rows} rows, {written} written, {deleted} deleted, in {passes} passes; {last}"))
}
