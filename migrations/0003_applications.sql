-- Applications that act for people: secrets with a life, consents, codes, chains of tokens; keys that are
-- replaced; organizations and credentials that can be disabled.

alter table organizations add column disabled_at bigint;
alter table api_credentials add column disabled_at bigint;
-- Tokens dated before it (seconds) are refused.
alter table api_credentials add column valid_from bigint not null default 0;
alter table api_credentials add column token_endpoint_auth_method text;
alter table api_credentials add column jwks text;

-- The secrets of a credential. `hash` is missing in those of before there could be several.
create table client_secrets (
    id text primary key,
    organization_id text not null references organizations (id) on delete cascade,
    api_credential_id text not null references api_credentials (id) on delete cascade,
    secret text not null,
    hash text,
    last_used_at bigint,
    expires_at bigint,
    reference text,
    reference_origin text,
    metadata text not null default '{}',
    created_at bigint not null,
    updated_at bigint not null
);
create index client_secrets_page on client_secrets (organization_id, created_at, id);
create index client_secrets_of_credential on client_secrets (api_credential_id, created_at, id);
create index client_secrets_end on client_secrets (expires_at) where expires_at is not null;
insert into client_secrets (id, organization_id, api_credential_id, secret, created_at, updated_at)
select id, organization_id, id, client_secret, created_at, created_at from api_credentials;
insert into sizes (kind, owner, size)
select 'client_secrets', organization_id, count(*) from client_secrets group by organization_id;
alter table api_credentials drop column client_secret;

-- The gates beside `enabled_users`: whatever is looked up to let somebody in is looked up in these.
create view enabled_organizations as
select id, slug, name, region, primary_color from organizations where disabled_at is null;

-- Of one table, so that it can stand at the right of an outer join without being made as a whole.
create view live_memberships as
select m.id, m.organization_id, m.user_id, m.role_id, m.membership_profile_id, m.owner, m.access_scope
from memberships m
where m.status = 'active' and exists (select 1 from enabled_organizations o where o.id = m.organization_id);

create view enabled_credentials as
select
    c.id, c.organization_id, c.role_id, c.name, c.kind, c.confidential, c.redirect_uri, c.client_id, c.scopes, c.expires_in,
    c.mode, c.valid_from, c.token_endpoint_auth_method, c.jwks, o.slug, o.name as organization_name, o.region, o.primary_color
from api_credentials c
join enabled_organizations o on o.id = c.organization_id
where c.disabled_at is null;

-- What a person has let an application do, so that they are not asked again.
create table consents (
    id text primary key,
    user_id text not null references users (id) on delete cascade,
    api_credential_id text not null references api_credentials (id) on delete cascade,
    scope text not null,
    created_at bigint not null,
    used_at bigint not null,
    constraint consents_api_credential unique (user_id, api_credential_id)
);
create index consents_of_credential on consents (api_credential_id);

-- Everything that was given because of one yes or one assertion: access tokens and one refresh token after
-- the other. It ends as a whole. Without a credential it is the dashboard's own application.
create table chains (
    id text primary key,
    began_by text not null,
    api_credential_id text references api_credentials (id) on delete cascade,
    organization_id text references organizations (id) on delete cascade,
    user_id text references users (id) on delete cascade,
    scope text not null,
    custom_claim text,
    -- When the person last showed who they are, in seconds, and what the application wants to see again.
    auth_time bigint,
    nonce text,
    created_at bigint not null,
    used_at bigint not null,
    expires_at bigint not null,
    ended_at bigint
);
create index chains_of_credential on chains (api_credential_id);
create index chains_of_organization on chains (organization_id);
create index chains_of_user on chains (user_id, api_credential_id);
create index chains_end on chains (expires_at);

create view live_chains as
select c.id, c.began_by, c.api_credential_id, c.organization_id, c.user_id, c.scope, c.custom_claim, c.auth_time, c.nonce
from chains c
where
    c.ended_at is null
    and (c.user_id is null or exists (select 1 from enabled_users u where u.id = c.user_id))
    and (c.api_credential_id is null or exists (select 1 from enabled_credentials a where a.id = c.api_credential_id))
    and (
        c.user_id is null or c.organization_id is null or exists (
            select 1 from live_memberships m where m.organization_id = c.organization_id and m.user_id = c.user_id
        )
    );

create table chain_tokens (
    token_hash text primary key,
    chain_id text not null references chains (id) on delete cascade,
    expires_at bigint not null
);
create index chain_tokens_of_chain on chain_tokens (chain_id);
create index chain_tokens_end on chain_tokens (expires_at);

create table refresh_tokens (
    token_hash text primary key,
    chain_id text not null references chains (id) on delete cascade,
    created_at bigint not null,
    expires_at bigint not null,
    replaced_at bigint,
    -- The answer with what replaced it, to be repeated once if it was lost on its way, and by what that is found.
    sealed text,
    successor_hash text
);
create index refresh_tokens_of_chain on refresh_tokens (chain_id);
create index refresh_tokens_end on refresh_tokens (expires_at);
create index refresh_tokens_answer on refresh_tokens (replaced_at) where sealed is not null;
create index refresh_tokens_successor on refresh_tokens (successor_hash) where successor_hash is not null;

create table authorization_codes (
    code_hash text primary key,
    api_credential_id text references api_credentials (id) on delete cascade,
    user_id text not null references users (id) on delete cascade,
    redirect_uri text not null,
    scope text not null,
    challenge text,
    nonce text,
    auth_time bigint not null,
    created_at bigint not null,
    expires_at bigint not null,
    -- What it was redeemed for: a code that comes twice ends that.
    chain_id text
);
create index authorization_codes_of_credential on authorization_codes (api_credential_id);
create index authorization_codes_of_user on authorization_codes (user_id);
create index authorization_codes_end on authorization_codes (expires_at);

create table device_codes (
    code_hash text primary key,
    user_code text not null,
    api_credential_id text references api_credentials (id) on delete cascade,
    scope text not null,
    state text not null,
    user_id text references users (id) on delete cascade,
    auth_time bigint,
    pause bigint not null,
    polled_at bigint,
    created_at bigint not null,
    expires_at bigint not null,
    constraint device_codes_user_code unique (user_code)
);
create index device_codes_of_credential on device_codes (api_credential_id);
create index device_codes_of_user on device_codes (user_id);
create index device_codes_end on device_codes (expires_at);

-- Authorization requests that an application has left here before it sends the browser.
create table pushed_requests (
    request_hash text primary key,
    api_credential_id text references api_credentials (id) on delete cascade,
    parameters text not null,
    expires_at bigint not null
);
create index pushed_requests_of_credential on pushed_requests (api_credential_id);
create index pushed_requests_end on pushed_requests (expires_at);

-- Assertions by which a client has shown who it is: none is believed twice.
create table spent_assertions (
    assertion_hash text primary key,
    expires_at bigint not null
);
create index spent_assertions_end on spent_assertions (expires_at);

-- A key is published from its creation on, signs from `signs_from` on, and is refused from `retired_at` on.
alter table signing_keys add column algorithm text not null default 'RS512';
alter table signing_keys add column signs_from bigint not null default 0;
alter table signing_keys add column retired_at bigint;

-- A credential as it sees itself at its organization's own host.
create view applications as
select
    id, organization_id, name, kind, not confidential as public_access, redirect_uri, scopes, reference, reference_origin,
    metadata, created_at, updated_at
from api_credentials;
