-- How people sign in, what they prove by mail, and how invitations live on after their membership.

alter table users add column language text;
-- The address they sign in with: the last one that was proved. Until another one is, `email` may only claim it.
alter table users add column proved_email text;
alter table users add column proved_email_key text;
update users set proved_email = email, proved_email_key = email_key;
create unique index users_proved_email on users (proved_email_key);
alter table organizations add column ask_existing_users boolean not null default false;
-- Whether an existing account was asked: then only its own yes activates the membership.
alter table memberships add column asked boolean not null default false;

-- Nobody is twice a member of the same organization, whatever addresses they have had.
create unique index memberships_user_id on memberships (organization_id, user_id) where user_id is not null;

-- The one gate: whoever is looked up to let them in is looked up here.
create view enabled_users as
select
    id, email, email_key, email_proved, proved_email, proved_email_key, first_name, last_name, time_zone, language, plan,
    otp_required_for_login
from users
where disabled_at is null;

create table passwords (
    user_id text primary key references users (id) on delete cascade,
    hash text not null,
    changed_at bigint not null
);

-- The seed of one-time codes, sealed; `last_step` is the last one that was used, so that none is used twice.
create table otp_seeds (
    user_id text primary key references users (id) on delete cascade,
    sealed text not null,
    last_step bigint not null default 0,
    confirmed_at bigint,
    created_at bigint not null
);

create table recovery_codes (
    user_id text not null references users (id) on delete cascade,
    code_hash text not null,
    primary key (user_id, code_hash)
);

create table passkeys (
    id text primary key,
    user_id text not null references users (id) on delete cascade,
    name text not null,
    credential_id text not null,
    credential text not null,
    created_at bigint not null,
    used_at bigint,
    constraint passkeys_credential_id unique (credential_id)
);
create index passkeys_user on passkeys (user_id, created_at, id);

create table sessions (
    id text primary key,
    user_id text not null references users (id) on delete cascade,
    token_hash text not null,
    factor text not null,
    address text not null,
    agent text not null,
    created_at bigint not null,
    -- When they last showed who they are; sensitive changes want that to be a moment ago.
    proved_at bigint not null,
    seen_at bigint not null,
    expires_at bigint not null,
    constraint sessions_token unique (token_hash)
);
create index sessions_user on sessions (user_id, created_at, id);
create index sessions_end on sessions (expires_at);

-- Browsers in which somebody has shown a password and owes a code.
create table owed_codes (
    visitor_hash text primary key,
    user_id text not null references users (id) on delete cascade,
    sealed text not null,
    attempts bigint not null default 0,
    expires_at bigint not null
);
create index owed_codes_user on owed_codes (user_id);
create index owed_codes_end on owed_codes (expires_at);

-- Questions to passkeys that were answered: none is answered twice.
create table spent_challenges (
    challenge_hash text primary key,
    expires_at bigint not null
);
create index spent_challenges_end on spent_challenges (expires_at);

-- Accounts that somebody asked for; they become users once the address is proved.
create table sign_ups (
    id text primary key,
    visitor_hash text not null,
    token_hash text not null,
    code_hash text not null,
    email text not null,
    email_key text not null,
    first_name text not null,
    last_name text not null,
    organization text not null,
    password_hash text not null,
    language text not null,
    attempts bigint not null default 0,
    created_at bigint not null,
    expires_at bigint not null,
    constraint sign_ups_token unique (token_hash)
);
create index sign_ups_visitor on sign_ups (visitor_hash, created_at);
create index sign_ups_address on sign_ups (email_key);
create index sign_ups_end on sign_ups (expires_at);

-- Links that were mailed to a user: to reset the password, to prove a new address, to take that back. One of
-- a purpose for a subject. One for an address nobody has belongs to no user, and is as much work to make.
create table proofs (
    purpose text not null,
    subject text not null,
    token_hash text not null,
    user_id text references users (id) on delete cascade,
    email text not null,
    created_at bigint not null,
    expires_at bigint not null,
    primary key (purpose, subject),
    constraint proofs_token unique (token_hash)
);
create index proofs_user on proofs (user_id, purpose);
create index proofs_end on proofs (expires_at);

-- Every invitation link there ever was, so that one that no longer works can say why. They outlive their
-- membership.
create table invitation_links (
    token_hash text primary key,
    membership_id text not null,
    organization_id text not null,
    email text not null,
    inviter text not null default '',
    created_at bigint not null,
    expires_at bigint not null,
    ended_at bigint,
    ending text
);
create index invitation_links_membership on invitation_links (membership_id);
create unique index invitation_links_open on invitation_links (membership_id) where ended_at is null;
create index invitation_links_age on invitation_links (created_at);

insert into invitation_links (token_hash, membership_id, organization_id, email, created_at, expires_at)
select i.token_hash, i.membership_id, m.organization_id, m.user_email, i.created_at, i.expires_at
from invitations i
join memberships m on m.id = i.membership_id;
drop table invitations;

alter table letters add column membership_id text;
alter table letters add column leased_until bigint;
alter table letters add column refused_at bigint;
create index letters_membership on letters (membership_id, created_at) where membership_id is not null;
create index letters_age on letters (created_at);

-- How much of something there was within a stretch of time: letters by their inviter, organization, address.
create table tallies (
    name text not null,
    began_at bigint not null,
    tally bigint not null,
    primary key (name, began_at)
);
create index tallies_age on tallies (began_at);
