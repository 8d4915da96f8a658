-- The names of organizations in an index of trigrams, for whoever is in very many of them. As of members' addresses: where the
-- extension may not be made, every row is read instead.
create or replace function folded(text) returns text language sql immutable strict parallel safe
return lower($1 collate "und-x-icu");

do $$ begin
    create index organizations_search on organizations using gin (folded(name) gin_trgm_ops)
    with (gin_pending_list_limit = 256);
exception when undefined_object then
    raise notice 'no index for parts of names: %', sqlerrm;
end $$;

create view search_organizations as select folded(name) as name, id from organizations;
