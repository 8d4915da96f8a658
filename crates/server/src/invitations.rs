//! Invitations: a link in a letter that opening does not use up, that a button press uses once, and that can
//! say later why it no longer works.

use crate::access::Caller;
use crate::accounts::passwords;
use crate::accounts::sessions::{self, Browser, Factor};
use crate::clock::DAY;
use crate::crypto::hash;
use crate::mail::tallies;
use crate::mail::{Brand, Letter, Message, queue};
use crate::resources::{memberships, users};
use crate::work::{Author, Work};
use guildhall_jsonapi::{Problem, Result, timestamp};
use guildhall_store::Sql;

/// How often a day whoever has a letter may ask for a newer one.
const RENEWALS_A_DAY: i64 = 3;

/// What became of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It can be used.
    Open,
    /// It was not used in time.
    Expired,
    /// It was used.
    Accepted,
    /// Whoever got it said no.
    Declined,
    /// Whoever sent it took it back.
    Revoked,
    /// A newer letter was sent.
    Renewed,
}

impl State {
    /// As it is stored, and as the page about it is named.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Expired => "expired",
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::Revoked => "revoked",
            Self::Renewed => "renewed",
        }
    }

    fn of(ending: Option<&str>, expired: bool) -> Self {
        match ending {
            None if expired => Self::Expired,
            None => Self::Open,
            Some("accepted") => Self::Accepted,
            Some("declined") => Self::Declined,
            Some("renewed") => Self::Renewed,
            Some(_) => Self::Revoked,
        }
    }
}

/// A link, with what its page tells.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// What became of it.
    pub state: State,
    /// The membership it is about, which may be gone.
    pub membership: String,
    /// The organization's id.
    pub organization: String,
    /// The organization's name; empty when it is gone.
    pub name: String,
    /// The organization's main colour.
    pub color: Option<String>,
    /// The name of the role.
    pub role: String,
    /// The invited address.
    pub email: String,
    /// Who invited.
    pub inviter: String,
    /// Whether somebody has an account with that address.
    pub has_account: bool,
    /// The language of that account, if it has one.
    pub language: Option<String>,
}

/// Makes a link for a new pending membership and queues the letter that holds it.
pub fn issue(work: &mut Work<'_, '_>, membership: &str, organization: &str, email: &str) -> Result<()> {
    check_tallies(work, organization, email)?;
    let (inviter, language) = inviter(work)?;
    link(work, membership, organization, email, &inviter, language)
}

/// The same for one that has a link already, which ends.
pub fn resend(work: &mut Work<'_, '_>, membership: &str, organization: &str, email: &str) -> Result<()> {
    end(work, membership, State::Renewed)?;
    issue(work, membership, organization, email)
}

fn link(
    work: &mut Work<'_, '_>,
    membership: &str,
    organization: &str,
    email: &str,
    inviter: &str,
    language: Option<String>,
) -> Result<()> {
    let token = work.app.chance.secret();
    let days = i64::from(work.app.config.invitation_days);
    work.later(Sql::new(
        "insert into invitation_links (token_hash, membership_id, organization_id, email, inviter, created_at, expires_at)
         values (?, ?, ?, ?, ?, ?, ?)",
        [
            hash(&token).into(),
            membership.into(),
            organization.into(),
            email.into(),
            inviter.into(),
            work.now.into(),
            (work.now + days * DAY).into(),
        ],
    ));
    let message = Message::Invitation {
        inviter: inviter.to_owned(),
        link: format!("{}/invitations/{token}", work.app.config.dashboard()),
        days,
    };
    send(work, membership, organization, email, language, message)
}

/// Queues the letter for somebody who has an account and so is a member at once.
pub fn welcome(work: &mut Work<'_, '_>, membership: &str, organization: &str, email: &str) -> Result<()> {
    check_tallies(work, organization, email)?;
    let (inviter, language) = inviter(work)?;
    let message = Message::Welcome { inviter, link: work.app.config.dashboard() };
    send(work, membership, organization, email, language, message)
}

fn send(
    work: &mut Work<'_, '_>,
    membership: &str,
    organization: &str,
    email: &str,
    inviters: Option<String>,
    message: Message,
) -> Result<()> {
    let brand = Brand::of(work, organization)?;
    let sql = "select language from users where proved_email_key = ?";
    let rows = work.tx.rows(&Sql::new(sql, [email.to_lowercase().into()]))?;
    let own = rows.first().and_then(|row| row.maybe_text(0)).map(str::to_owned);
    let language = own.or(inviters).unwrap_or_default();
    let letter =
        Letter { membership: Some(membership.to_owned()), brand, ..Letter::to(email, &language, message) };
    queue(work, &letter)
}

/// Ends the open link of a membership, if it has one.
pub fn end(work: &mut Work<'_, '_>, membership: &str, ending: State) -> Result<()> {
    work.tx.execute(&Sql::new(
        "update invitation_links set ended_at = ?, ending = ? where membership_id = ? and ended_at is null",
        [work.now.into(), ending.name().into(), membership.into()],
    ))?;
    Ok(())
}

/// The invitation behind a link, as it stands.
pub fn find(work: &mut Work<'_, '_>, token: &str) -> Result<Option<Invitation>> {
    let rows = work.tx.rows(&Sql::new(
        "select i.ending, i.expires_at, i.membership_id, i.organization_id, o.name, o.primary_color, r.name, i.email,
         i.inviter, u.id, u.language, m.status
         from invitation_links i
         left join organizations o on o.id = i.organization_id
         left join memberships m on m.id = i.membership_id
         left join roles r on r.id = m.role_id
         left join users u on u.proved_email_key = m.user_email_key
         where i.token_hash = ?",
        [hash(token).into()],
    ))?;
    Ok(rows.first().map(|row| {
        let state = State::of(row.maybe_text(0), row.int(1) <= work.now);
        // A link without a pending membership is of no use, whatever it says of itself.
        let pending = row.maybe_text(11) == Some("pending");
        let usable = matches!(state, State::Open | State::Expired | State::Renewed);
        Invitation {
            state: match row.maybe_text(11) {
                Some("active") if usable => State::Accepted,
                _ if usable && !pending => State::Revoked,
                _ => state,
            },
            membership: row.text(2).to_owned(),
            organization: row.text(3).to_owned(),
            name: row.maybe_text(4).unwrap_or_default().to_owned(),
            color: row.maybe_text(5).map(str::to_owned),
            role: row.maybe_text(6).unwrap_or_default().to_owned(),
            email: row.text(7).to_owned(),
            inviter: row.text(8).to_owned(),
            has_account: !row.is_null(9),
            language: row.maybe_text(10).map(str::to_owned),
        }
    }))
}

/// Accepts for somebody who has an account with the invited address. Answers whether they are a member by it.
pub fn accept(work: &mut Work<'_, '_>, token: &str, user: &str) -> Result<bool> {
    let Some(invitation) = find(work, token)? else { return Ok(false) };
    let Some(user) = users::by_id(work, user)? else { return Ok(false) };
    let addressed = user.text("proved_email_key") == invitation.email.to_lowercase();
    if invitation.state != State::Open || !addressed {
        return Ok(false);
    }
    memberships::accept(work, &invitation.membership, &user.id)?;
    Ok(true)
}

/// What somebody without an account says of themselves to accept.
#[derive(Clone, Debug)]
pub struct Newcomer {
    /// The id they will have.
    pub user: String,
    /// Their name.
    pub first_name: String,
    /// The rest of it.
    pub last_name: String,
    /// The hash of their password.
    pub password_hash: String,
    /// The language of the page.
    pub language: String,
}

/// Makes the account and accepts, in one step; the link proves the address. Answers the token of the session,
/// or nothing when the link cannot be used (any more) or there is an account by now.
pub fn join(
    work: &mut Work<'_, '_>,
    token: &str,
    newcomer: &Newcomer,
    browser: &Browser,
) -> Result<Option<String>> {
    let Some(invitation) = find(work, token)? else { return Ok(None) };
    if invitation.state != State::Open || invitation.has_account {
        return Ok(None);
    }
    let new = users::New {
        email: invitation.email.clone(),
        first_name: newcomer.first_name.clone(),
        last_name: newcomer.last_name.clone(),
        plan: work.app.config.default_plan.clone(),
    };
    users::register_as(work, &newcomer.user, &new)?;
    users::set_language(work, &newcomer.user, &newcomer.language)?;
    passwords::set(work, &newcomer.user, &newcomer.password_hash)?;
    memberships::accept(work, &invitation.membership, &newcomer.user)?;
    let session = work.app.chance.secret();
    sessions::begin(work, &newcomer.user, Factor::Letter, browser, &session)?;
    Ok(Some(session))
}

/// The author of what a newcomer does.
pub fn author(newcomer: &str, work: &crate::App) -> Author {
    Author::Caller(Caller::newcomer(newcomer, &work.config))
}

/// Says no: the membership is gone, and its link says so.
pub fn decline(work: &mut Work<'_, '_>, token: &str) -> Result<bool> {
    let Some(invitation) = find(work, token)?.filter(|found| found.state == State::Open) else {
        return Ok(false);
    };
    end(work, &invitation.membership, State::Declined)?;
    memberships::withdraw(work, &invitation.membership)?;
    Ok(true)
}

/// Sends a fresh link to the same address, instead of one that came too late or was followed by another.
pub fn renew(work: &mut Work<'_, '_>, token: &str) -> Result<bool> {
    let renewable = |found: &Invitation| matches!(found.state, State::Expired | State::Renewed);
    let Some(found) = find(work, token)?.filter(renewable) else { return Ok(false) };
    // Whoever holds an old letter must neither flood its reader, nor use up what the inviter may send.
    let names = [(format!("renewals of {}", found.membership), RENEWALS_A_DAY)];
    if let Some(full) = tallies::count(work, &names, DAY)? {
        let detail = "The link was renewed often today: try again tomorrow.";
        return Err(Problem::too_many(detail, full.seconds).into());
    }
    // In the name of whoever invited before, past their limits.
    end(work, &found.membership, State::Renewed)?;
    link(work, &found.membership, &found.organization, &found.email, &found.inviter, found.language)?;
    Ok(true)
}

/// What the operator sees of the letters about a membership: the latest first.
pub fn letters(work: &mut Work<'_, '_>, membership: &str) -> Result<Vec<String>> {
    let rows = work.tx.rows(&Sql::new(
        "select created_at, sent_at, refused_at, failure, attempts from letters where membership_id = ?
         order by created_at desc, id desc limit 20",
        [membership.into()],
    ))?;
    Ok(rows
        .iter()
        .map(|row| {
            let queued = timestamp(row.int(0));
            let failure = row.maybe_text(3).unwrap_or_default();
            match (row.maybe_int(1), row.maybe_int(2)) {
                (Some(sent), _) => format!("queued {queued}, sent {}", timestamp(sent)),
                (None, Some(refused)) => {
                    format!("queued {queued}, refused {}: {failure}", timestamp(refused))
                }
                (None, None) if row.int(4) > 0 => {
                    format!("queued {queued}, tried {} times: {failure}", row.int(4))
                }
                (None, None) => format!("queued {queued}, waiting"),
            }
        })
        .collect())
}

/// Refuses what is more than an inviter, an organization or an address should see in a day.
fn check_tallies(work: &mut Work<'_, '_>, organization: &str, email: &str) -> Result<()> {
    let limits = &work.app.config.limits;
    let mut names = vec![
        (format!("invitations of {organization}"), i64::from(limits.invitations_a_day_of_an_organization)),
        (
            format!("invitations to {}", email.to_lowercase()),
            i64::from(limits.invitations_a_day_to_an_address),
        ),
    ];
    if let Author::Caller(caller) = work.author {
        let limit = i64::from(limits.invitations_a_day_of_an_inviter);
        names.push((format!("invitations by {}", caller.user), limit));
    }
    let Some(full) = tallies::count(work, &names, DAY)? else { return Ok(()) };
    let (name, limit) = &names[full.index];
    let whose = match name.split(' ').nth(1) {
        Some("to") => "this address was invited",
        Some("by") => "you sent invitations",
        _ => "this organization sent invitations",
    };
    let detail = format!("Today {whose} {limit} times, which is all that is allowed: try again tomorrow.");
    Err(Problem::too_many(detail, full.seconds).into())
}

/// The name and the language of whoever invites; nobody's when the operator does.
fn inviter(work: &mut Work<'_, '_>) -> Result<(String, Option<String>)> {
    let Author::Caller(caller) = work.author else {
        return Ok((String::new(), None));
    };
    let sql = "select first_name, last_name, language from users where id = ?";
    let rows = work.tx.rows(&Sql::new(sql, [(&caller.user).into()]))?;
    Ok(rows.first().map_or_else(Default::default, |row| {
        let full = format!("{} {}", row.text(0), row.text(1));
        (full.trim().to_owned(), row.maybe_text(2).map(str::to_owned))
    }))
}
