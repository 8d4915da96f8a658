-- What large organizations are asked: how many members have a status or a role, who they are, and whose address contains
-- a text.

insert into sizes (kind, owner, size)
select 'memberships.status.' || status, organization_id, count(*) from memberships group by status, organization_id;
insert into sizes (kind, owner, size)
select 'memberships.role.' || role_id, organization_id, count(*) from memberships group by role_id, organization_id;
create index application_memberships_role on application_memberships (role_id, created_at, id);

-- The index needs an extension that comes with PostgreSQL. Where it is not there or may not be made, every row is read
-- instead, and `guildhall doctor` says so.
do $$ begin
    create extension if not exists pg_trgm;
    create index memberships_search on memberships using gin (user_email_key gin_trgm_ops)
    with (gin_pending_list_limit = 256);
exception when insufficient_privilege or feature_not_supported or undefined_file or undefined_object then
    raise notice 'no index for parts of addresses: %', sqlerrm;
end $$;

create view search_memberships as select user_email_key as user_email, id, organization_id from memberships;
