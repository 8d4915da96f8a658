-- Indexes for what people look for within an organization: their own reference for a record, and how a membership
-- stands. Each yields its rows in the default order, so that a page costs the same however many there are.

create index roles_reference on roles (organization_id, reference, created_at, id) where reference is not null;
create index permissions_reference on permissions (organization_id, reference, created_at, id) where reference is not null;
create index membership_profiles_reference on membership_profiles (organization_id, reference, created_at, id)
where reference is not null;
create index memberships_reference on memberships (organization_id, reference, created_at, id) where reference is not null;
create index memberships_status on memberships (organization_id, status, created_at, id);
create index api_credentials_reference on api_credentials (organization_id, reference, created_at, id)
where reference is not null;
create index application_memberships_reference on application_memberships (organization_id, reference, created_at, id)
where reference is not null;
create index client_secrets_reference on client_secrets (organization_id, reference, created_at, id)
where reference is not null;
create index identity_providers_reference on identity_providers (user_id, reference, created_at, id)
where reference is not null;
