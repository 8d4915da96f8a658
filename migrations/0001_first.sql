-- People, their organizations and everything inside them. One text for every engine: text, bigint (moments
-- are milliseconds since 1970), boolean. JSON is text. A unique constraint ends in the column it is about.

create table plans (
    name text primary key,
    enterprise boolean not null,
    organizations bigint,
    memberships bigint
);

create table users (
    id text primary key,
    email text not null,
    email_key text not null,
    email_proved boolean not null default true,
    first_name text not null default '',
    last_name text not null default '',
    time_zone text,
    otp_required_for_login boolean not null default false,
    plan text not null references plans (name),
    disabled_at bigint,
    reference text,
    reference_origin text,
    metadata text not null default '{}',
    created_at bigint not null,
    updated_at bigint not null,
    constraint users_email unique (email_key)
);

-- The one OAuth application of kind `user` that each person has. Tokens dated before `valid_from` (seconds)
-- are refused.
create table user_applications (
    id text primary key,
    user_id text not null references users (id) on delete cascade,
    client_id text not null,
    secret_hash text not null,
    valid_from bigint not null default 0,
    created_at bigint not null,
    constraint user_applications_user unique (user_id),
    constraint user_applications_client_id unique (client_id)
);

create table organizations (
    id text primary key,
    name text not null,
    slug text not null,
    support_phone text,
    support_email text,
    logo_url text,
    favicon_url text,
    primary_color text,
    contrast_color text,
    gtm_id text,
    gtm_id_test text,
    region text,
    config text,
    api_auth_redirect boolean not null default true,
    api_rules_engine boolean not null default false,
    api_rules_engine_max_conditions_size bigint not null default 150,
    api_rules_engine_max_rules_size bigint not null default 15,
    api_new_auth boolean not null default true,
    api_purge_single_resource boolean not null default false,
    api_max_regex_length bigint not null default 5000,
    addresses_avs_check boolean not null default true,
    addresses_phone_required boolean not null default true,
    orders_sales_channel_guest_only boolean not null default true,
    orders_min_rebuild_shipments_lapse text not null default '0',
    orders_min_refresh_lapse text not null default '0',
    orders_autorefresh_cutoff_test bigint not null default 50,
    orders_autorefresh_cutoff_live bigint not null default 500,
    orders_number_editable_test boolean not null default false,
    orders_number_editable_live boolean not null default false,
    orders_number_as_reference boolean not null default true,
    orders_invalid_coupon_errors boolean not null default true,
    orders_invalid_gift_card_errors boolean not null default true,
    orders_validate_shipping_stock boolean not null default false,
    bundles_max_items_count bigint not null default 10,
    coupons_min_code_length bigint not null default 8,
    coupons_max_code_length bigint not null default 40,
    gift_cards_exact_code_matching boolean not null default false,
    gift_cards_min_code_length bigint not null default 8,
    gift_cards_max_code_length bigint not null default 40,
    cleanups_max_concurrent_count bigint not null default 10,
    exports_max_concurrent_count bigint not null default 10,
    imports_max_concurrent_count bigint not null default 10,
    imports_purge_cache boolean not null default true,
    imports_skip_errors boolean not null default false,
    inventory_models_max_stock_locations_cutoff bigint not null default 10,
    promotions_max_concurrent_count bigint not null default 10,
    promotions_max_conditions_size bigint not null default 150,
    promotions_max_rules_size bigint not null default 15,
    price_lists_max_conditions_size bigint not null default 150,
    price_lists_max_rules_size bigint not null default 15,
    imports_trigger_webhooks bigint not null default 0,
    discount_engines_enabled boolean not null default false,
    discount_engines_errors boolean not null default false,
    tags_max_name_length bigint not null default 25,
    tags_max_allowed_number bigint not null default 10,
    tax_calculators_errors boolean not null default false,
    external_promotions_errors boolean not null default false,
    external_prices_errors boolean not null default true,
    reference text,
    reference_origin text,
    metadata text not null default '{}',
    created_at bigint not null,
    updated_at bigint not null,
    constraint organizations_slug unique (slug)
);

-- How many rows of a kind an organization has, so that nobody needs to count them.
create table sizes (
    kind text not null,
    owner text not null,
    size bigint not null,
    primary key (kind, owner)
);

create table roles (
    id text primary key,
    organization_id text not null references organizations (id) on delete cascade,
    name text not null,
    kind text not null,
    reference text,
    reference_origin text,
    metadata text not null default '{}',
    created_at bigint not null,
    updated_at bigint not null,
    constraint roles_name unique (organization_id, name)
);
create index roles_page on roles (organization_id, created_at, id);

create table permissions (
    id text primary key,
    organization_id text not null references organizations (id) on delete cascade,
    role_id text not null references roles (id) on delete cascade,
    subject text not null,
    can_create boolean not null,
    can_read boolean not null,
    can_update boolean not null,
    can_destroy boolean not null,
    restrictions text not null default '{}',
    reference text,
    reference_origin text,
    metadata text not null default '{}',
    created_at bigint not null,
    updated_at bigint not null,
    constraint permissions_subject unique (role_id, subject)
);
create index permissions_page on permissions (organization_id, created_at, id);

create table membership_profiles (
    id text primary key,
    organization_id text not null references organizations (id) on delete cascade,
    name text not null,
    access_scope text not null,
    reference text,
    reference_origin text,
    metadata text not null default '{}',
    created_at bigint not null,
    updated_at bigint not null
);
create index membership_profiles_page on membership_profiles (organization_id, created_at, id);

create table memberships (
    id text primary key,
    organization_id text not null references organizations (id) on delete cascade,
    role_id text not null references roles (id),
    membership_profile_id text references membership_profiles (id),
    user_id text references users (id),
    user_email text not null,
    user_email_key text not null,
    user_first_name text not null default '',
    user_last_name text not null default '',
    status text not null,
    owner boolean not null default false,
    access_scope text,
    reference text,
    reference_origin text,
    metadata text not null default '{}',
    created_at bigint not null,
    updated_at bigint not null,
    constraint memberships_user_email unique (organization_id, user_email_key)
);
create index memberships_page on memberships (organization_id, created_at, id);
create index memberships_role on memberships (role_id, created_at, id);
create index memberships_profile on memberships (membership_profile_id) where membership_profile_id is not null;
create index memberships_user on memberships (user_id) where user_id is not null;
create index memberships_invited on memberships (user_email_key) where user_id is null;
create unique index memberships_owner on memberships (organization_id) where owner;

create table api_credentials (
    id text primary key,
    organization_id text not null references organizations (id) on delete cascade,
    role_id text references roles (id),
    name text not null,
    kind text not null,
    confidential boolean not null,
    redirect_uri text,
    client_id text not null,
    client_secret text not null,
    scopes text not null,
    expires_in bigint,
    mode text,
    custom boolean,
    reference text,
    reference_origin text,
    metadata text not null default '{}',
    created_at bigint not null,
    updated_at bigint not null,
    constraint api_credentials_client_id unique (client_id)
);
create index api_credentials_page on api_credentials (organization_id, created_at, id);
create index api_credentials_role on api_credentials (role_id, created_at, id) where role_id is not null;

create table application_memberships (
    id text primary key,
    organization_id text not null references organizations (id) on delete cascade,
    api_credential_id text not null references api_credentials (id),
    role_id text not null references roles (id),
    membership_id text references memberships (id),
    membership_profile_id text references membership_profiles (id),
    filters text,
    reference text,
    reference_origin text,
    metadata text not null default '{}',
    created_at bigint not null,
    updated_at bigint not null,
    constraint application_memberships_membership unique (api_credential_id, membership_id),
    constraint application_memberships_membership_profile unique (api_credential_id, membership_profile_id)
);
create index application_memberships_page on application_memberships (organization_id, created_at, id);
create index application_memberships_of_membership on application_memberships (membership_id) where membership_id is not null;
create index application_memberships_of_profile on application_memberships (membership_profile_id)
where membership_profile_id is not null;

create table identity_providers (
    id text primary key,
    user_id text not null references users (id) on delete cascade,
    name text not null,
    client_id text not null,
    client_secret text not null,
    issuer text not null,
    domains text not null,
    token_url text not null,
    authorize_url text not null,
    jwks_url text not null,
    organization text,
    status text not null,
    txt_record text not null,
    disabled_at bigint,
    reference text,
    reference_origin text,
    metadata text not null default '{}',
    created_at bigint not null,
    updated_at bigint not null,
    constraint identity_providers_name unique (name)
);
create index identity_providers_user on identity_providers (user_id, created_at, id);

-- Every change of every record: who, what, before and after. No foreign keys: it outlives what it tells of.
create table history (
    id text primary key,
    organization_id text,
    resource_type text not null,
    resource_id text not null,
    event text not null,
    changes text not null,
    who text not null,
    origin text not null,
    request_id text,
    published boolean not null,
    created_at bigint not null
);
create index history_page on history (organization_id, created_at, id) where published;
create index history_of_record on history (resource_type, resource_id, created_at);
create index history_age on history (created_at);

-- The part of history that the API publishes.
create view versions as
select
    id,
    organization_id,
    resource_type,
    resource_id,
    event,
    changes,
    who,
    cast(null as text) as reference,
    cast(null as text) as reference_origin,
    '{}' as metadata,
    created_at,
    created_at as updated_at
from history
where published;

-- The one live link of a membership that waits for its person.
create table invitations (
    membership_id text primary key references memberships (id) on delete cascade,
    token_hash text not null,
    created_at bigint not null,
    expires_at bigint not null,
    constraint invitations_token unique (token_hash)
);

-- Letters that are to be sent. What they say is sealed, since it may hold a link that opens a door.
create table letters (
    id text primary key,
    recipient text not null,
    sealed text not null,
    created_at bigint not null,
    due_at bigint,
    attempts bigint not null default 0,
    sent_at bigint,
    failure text
);
create index letters_due on letters (due_at) where due_at is not null;

create table signing_keys (
    kid text primary key,
    sealed text not null,
    created_at bigint not null
);

-- Tokens that were revoked before their end, by the SHA-256 of their text.
create table revoked_tokens (
    token_hash text primary key,
    expires_at bigint not null
);
create index revoked_tokens_end on revoked_tokens (expires_at);

-- The last number given to each slug that several organizations wanted.
create table slugs (
    base text primary key,
    last bigint not null
);
